"""The words of runs for people: states, verdicts, and what the events of a run tell."""

from collections.abc import Mapping

from app.core.labels import add
from app.core.messages import Message, say
from app.runs.rules import Direction, RunState, RunVerdict
from app.runs.seats import Void

add(
    RunState,
    {
        RunState.PLANNED: say("planned"),
        RunState.AWAITING_APPROVAL: say("awaiting approval"),
        RunState.MISSED: say("missed"),
        RunState.DENIED: say("denied"),
        RunState.QUEUED: say("in the queue"),
        RunState.RUNNING: say("running"),
        RunState.PAUSED_BY_OPERATOR: say("paused"),
        RunState.PAUSED_BY_FAILED_STEP: say("paused: a step failed"),
        RunState.PAUSED_BY_GUARD: say("paused by a guard"),
        RunState.WAITING: say("waiting for a person"),
        RunState.UNDOING: say("being undone"),
        RunState.ABORTING: say("being aborted"),
        RunState.COMPLETED: say("completed"),
        RunState.COMPLETED_WITH_EXCEPTIONS: say("completed with exceptions"),
        RunState.FAILED: say("failed"),
        RunState.ABORTED: say("aborted"),
        RunState.UNDONE: say("undone"),
        RunState.UNDO_FAILED: say("undo failed"),
        RunState.INTERRUPTED: say("interrupted"),
    },
)
add(
    RunVerdict,
    {
        RunVerdict.PASSED: say("passed"),
        RunVerdict.PARTIAL: say("partly passed"),
        RunVerdict.FAILED: say("failed"),
        RunVerdict.INCONCLUSIVE: say("no conclusion"),
        RunVerdict.ABORTED: say("aborted"),
    },
)
add(
    Void,
    {
        Void.REVOKED: say("taken back"),
        Void.OTHER_DIGEST: say("something changed since"),
        Void.NOT_YET: say("not valid yet"),
        Void.EXPIRED: say("too old"),
        Void.NOT_INDEPENDENT: say("own work"),
        Void.NO_LONGER_APPROVER: say("may not approve any more"),
    },
)
add(Direction, {Direction.OVER: say("over"), Direction.BACK: say("back"), Direction.NONE: say("no switch")})

WAIT_OPENED = say("The wait began")
EVENTS: Mapping[str, Message] = {
    "run.planned": say("The run was planned"),
    "run.started": say("The run started"),
    "run.paused": say("The run was paused"),
    "run.restored": say("The run came out of a backup"),
    "run.undoing": say("Undoing begins"),
    "run.aborting": say("Aborting begins"),
    "run.configuration-changed": say("The configuration changed, so approvals count no more"),
    "run.latest-end-passed": say("The latest end has passed"),
    "run.completed": say("The run is completed"),
    "run.completed with exceptions": say("The run is completed, with exceptions"),
    "run.failed": say("The run failed"),
    "run.aborted": say("The run was aborted"),
    "run.undone": say("The run was undone"),
    "run.missed": say("The run was missed"),
    "run.denied": say("The run was denied"),
    "command.pause": say("Paused by a person"),
    "command.resume": say("Resumed by a person"),
    "command.retry": say("Tried again"),
    "command.skip": say("Skipped by a person"),
    "command.ignore": say("Failure ignored by a person"),
    "command.fence-by-hand": say("Fenced by hand, signed by a person"),
    "command.undo": say("Undo was asked"),
    "command.abort": say("Abort was asked"),
    "command.leave": say("Left as it stands"),
    "command.this-is-real": say("This is real, somebody said"),
    "approval.approved": say("Approved"),
    "approval.denied": say("Denied"),
    "step.opened": say("A person is asked"),
    "step.started": say("Started"),
    "step.answered": say("Answered"),
    "step.succeeded": say("Done"),
    "step.succeeded with warning": say("Done, with a warning"),
    "step.failed": say("Failed"),
    "step.failed but ignored": say("Failed, ignored"),
    "step.timed out": say("Took too long"),
    "step.skipped": say("Skipped"),
    "step.unknown": say("Outcome unknown"),
    "step.observed": say("Looked what is there"),
    "step.undoing": say("Being undone"),
    "step.undone": say("Undone"),
    "step.undo failed": say("Undo failed"),
    "step.nobody-there": say("No worker at this site"),
    "step.worker-lost": say("The worker was lost"),
    "evidence.added": say("Evidence added"),
    "observation.added": say("Observation noted"),
    "guard.changed": say("A guard sees something else"),
    "guard.acted": say("A guard acted"),
    "home.moved": say("The home side moved"),
    "claim.proven": say("A claim was judged"),
    "finding.opened": say("A finding was opened"),
    "lock.released": say("A lock was released"),
    "obligation.done": say("Somebody cleaned up"),
    "activation.declared": say("The plan is put to work: this is real"),
    "activation.glass-broken": say("Begun before approval; every approver was told"),
    "activation.reviewed": say("The beginning without approval was reviewed"),
    "participant.joined": say("One more person was asked to take part"),
    "run.taken-over": say("The real thing took this drill's place"),
    "debt.incurred": say("Something is owed to the lost side"),
    "debt.settled": say("What was owed is settled"),
    "loss.measured": say("What was really lost became known"),
}
"""What a page tells of an event; a kind that is not here (progress, ready) is no news for people."""

COMMANDS: Mapping[str, Message] = {
    "pause": say("pause"),
    "resume": say("resume"),
    "retry": say("try again"),
    "skip": say("skip"),
    "ignore": say("go on after the failure"),
    "fence-by-hand": say("sign that the side is fenced"),
    "undo": say("undo"),
    "abort": say("abort"),
    "leave": say("leave as it stands"),
    "this-is-real": say("this is real"),
}
