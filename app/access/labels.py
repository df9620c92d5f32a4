"""The words of roles for people."""

from app.access.rules import Role
from app.core.labels import add
from app.core.messages import say

add(
    Role,
    {
        Role.VIEWER: say("viewer"),
        Role.PLAN_OWNER: say("plan owner"),
        Role.FACILITATOR: say("facilitator"),
        Role.OPERATOR: say("operator"),
        Role.APPROVER: say("approver"),
        Role.AUDITOR: say("auditor"),
        Role.ADMINISTRATOR: say("administrator"),
    },
)
