"""The words of drills for people."""

import app.playbooks.labels  # noqa: F401 – the words of modes and inputs
from app.core.labels import add
from app.core.messages import say
from app.drills.rules import Attendance, MomentState, Trigger

add(Attendance, {Attendance.ATTENDED: say("attended"), Attendance.UNATTENDED: say("unattended")})
add(
    MomentState,
    {MomentState.PLANNED: say("planned"), MomentState.SKIPPED: say("skipped"), MomentState.MISSED: say("missed")},
)
add(Trigger, {Trigger.SCHEDULE: say("by the schedule"), Trigger.PERSON: say("by a person")})
