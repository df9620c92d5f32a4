"""The words of playbooks and runners for people."""

from app.core.labels import add, name
from app.core.messages import say
from app.playbooks.models import VersionState
from app.playbooks.rules import Choice, ClaimKind, InputType, Mode, OnBreach, OnFailure, StepKind
from runners.contract import Effect, Fencing, Repeat

add(
    VersionState,
    {
        VersionState.DRAFT: say("draft"),
        VersionState.PUBLISHED: say("published"),
        VersionState.REJECTED: say("rejected"),
    },
)
add(Mode, {Mode.TABLETOP: say("tabletop"), Mode.REHEARSAL: say("rehearsal, isolated"), Mode.LIVE: say("live")})
add(
    InputType,
    {
        InputType.ENVIRONMENT_PAIR: say("environment pair"),
        InputType.SIDE: say("side"),
        InputType.BACKUP: say("backup"),
        InputType.DEPOSIT: say("escrow deposit"),
        InputType.URL: say("web address"),
        InputType.TEXT: say("text"),
        InputType.INTEGER: say("whole number"),
        InputType.NUMBER: say("number"),
        InputType.BOOLEAN: say("yes or no"),
        InputType.DURATION: say("duration"),
        InputType.MOMENT: say("moment"),
    },
)
add(
    ClaimKind,
    {
        ClaimKind.DECIDE_AND_ALERT: say("decide and alert"),
        ClaimKind.RESTORE: say("restore"),
        ClaimKind.ACCESS_WITHOUT_SUPPLIER: say("access without the supplier"),
        ClaimKind.SWITCHOVER: say("planned switchover"),
        ClaimKind.FAILOVER: say("unplanned fail-over"),
        ClaimKind.HOLD: say("hold at the minimum level"),
        ClaimKind.WAY_BACK: say("way back"),
        ClaimKind.COMMUNICATION: say("communication"),
        ClaimKind.DATA_OUT: say("data out without the supplier"),
        ClaimKind.ESCROW_BUILD: say("build from escrow"),
        ClaimKind.AUTHORISATIONS: say("authorisations and step-in"),
        ClaimKind.USAGE_RIGHTS: say("usage rights"),
        ClaimKind.OTHER_ENVIRONMENT: say("another environment carries the minimum"),
        ClaimKind.ACTIVATION: say("activation exercise"),
    },
)
add(
    StepKind,
    {
        StepKind.USES: say("done by a runner"),
        StepKind.ASK: say("asked of a person"),
        StepKind.DECIDE: say("decided by people"),
        StepKind.WAIT: say("waiting"),
        StepKind.PLAY: say("another playbook"),
        StepKind.INJECT: say("message of the exercise"),
    },
)
add(
    OnFailure,
    {
        OnFailure.ASK: say("the run pauses and asks a person"),
        OnFailure.STOP: say("the run stops"),
        OnFailure.UNDO: say("what was done is undone"),
        OnFailure.CONTINUE: say("the run goes on"),
    },
)
add(
    OnBreach,
    {
        OnBreach.PAUSE: say("the run pauses"),
        OnBreach.UNDO: say("what was done is undone"),
        OnBreach.STOP: say("the run stops"),
    },
)
add(
    Effect,
    {
        Effect.OBSERVES: say("only looks"),
        Effect.ISOLATED: say("works in an isolated place"),
        Effect.CHANGES: say("changes something"),
    },
)
add(
    Repeat,
    {
        Repeat.KEYED: say("may be repeated: the other system recognises a repeat"),
        Repeat.OBSERVABLE: say("looks first whether it was done already"),
        Repeat.NEVER: say("never repeated by itself: a person decides"),
    },
)
add(
    Fencing,
    {
        Fencing.TARGET: say("the target refuses a worker that woke up too late"),
        Fencing.PASSED_ON: say("the target is told which worker asks, and can refuse one that woke up too late"),
        Fencing.LEASE: say("only the lease of the worker"),
    },
)
name(
    {
        "communication": say("communication"),
        "crisis-manager": say("crisis manager"),
        "operator": say("operator"),
        "process-owner": say("process owner"),
    }
)
name({"go": say("go"), "no-go": say("no-go"), "accept": say("accept"), "refuse": say("refuse")})
name({"discard": say("throw away"), "keep": say("keep")})
name({Choice.CONTINUE: say("goes on"), Choice.STOP: say("stops"), Choice.UNDO: say("is undone")})
