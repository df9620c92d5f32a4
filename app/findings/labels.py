"""The words of findings for people."""

from app.core.labels import add
from app.core.messages import say
from app.findings.rules import AcceptanceState, Cause, Control, Impact, Operation, Severity, Source, State

add(
    Source,
    {
        Source.EXERCISE: say("exercise"),
        Source.RUNNER: say("run"),
        Source.AUDIT: say("audit"),
        Source.INCIDENT: say("incident"),
        Source.RULE: say("found by Wissel"),
    },
)
add(
    Cause,
    {
        Cause.CONTRACT: say("contract"),
        Cause.UNKNOWN_OBJECT: say("unknown object"),
        Cause.ACCESS: say("access"),
        Cause.TECHNIQUE: say("technique"),
        Cause.PEOPLE: say("people"),
        Cause.CAPACITY: say("capacity"),
        Cause.ORGANISATION: say("organisation"),
        Cause.TOO_SLOW: say("too slow"),
    },
)
add(Severity, {Severity.LOW: say("low"), Severity.MEDIUM: say("medium"), Severity.HIGH: say("high")})
add(Impact, {Impact.LOW: say("low impact"), Impact.HIGH: say("high impact")})
add(Control, {Control.EASY: say("easy to control"), Control.HARD: say("hard to control")})
add(
    State,
    {
        State.OPEN: say("open"),
        State.ACTION: say("being worked on"),
        State.AWAITING_RETEST: say("awaiting retest"),
        State.VERIFIED: say("verified by a retest"),
        State.RISK_ACCEPTED: say("risk accepted"),
        State.REJECTED: say("rejected"),
    },
)
add(
    Operation,
    {
        Operation.START_ACTION: say("Start work"),
        Operation.REQUEST_RETEST: say("Ask for a retest"),
        Operation.RETURN_TO_ACTION: say("Back to work"),
        Operation.REOPEN: say("Open again"),
        Operation.REJECT: say("Reject"),
        Operation.REQUEST_ACCEPTANCE: say("Ask to accept the risk"),
        Operation.ACCEPT_RISK: say("Accept the risk"),
        Operation.END_ACCEPTANCE: say("End the acceptance"),
        Operation.VERIFY: say("Verified by a retest"),
        Operation.WITHDRAW: say("Withdrawn by the rule"),
    },
)
add(
    AcceptanceState,
    {
        AcceptanceState.REQUESTED: say("waits for a decision"),
        AcceptanceState.ACCEPTED: say("accepted"),
        AcceptanceState.REFUSED: say("refused"),
        AcceptanceState.ENDED: say("ended"),
    },
)
