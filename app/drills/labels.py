"""The words of drills for people."""

from app.core.labels import add
from app.core.messages import say
from app.drills.rules import Attendance, MomentState, Trigger
from app.playbooks.rules import InputType, Mode

add(Mode, {Mode.TABLETOP: say("tabletop"), Mode.REHEARSAL: say("rehearsal, isolated"), Mode.LIVE: say("live")})
add(Attendance, {Attendance.ATTENDED: say("attended"), Attendance.UNATTENDED: say("unattended")})
add(
    MomentState,
    {MomentState.PLANNED: say("planned"), MomentState.SKIPPED: say("skipped"), MomentState.MISSED: say("missed")},
)
add(Trigger, {Trigger.SCHEDULE: say("by the schedule"), Trigger.PERSON: say("by a person")})
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
