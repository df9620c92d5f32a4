"""The words of roles, and of what they open, for people."""

from app.access.rules import Action, Role
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
add(
    Action,
    {
        Action.READ: say("read"),
        Action.EDIT_CATALOG: say("change services, suppliers and contracts"),
        Action.EDIT_PLAN: say("write plans"),
        Action.REVIEW_PLAN: say("review plans"),
        Action.APPROVE_PLAN: say("approve plans"),
        Action.EDIT_PLAYBOOK: say("write playbooks"),
        Action.REVIEW_PLAYBOOK: say("review playbooks"),
        Action.PLAN_DRILL: say("plan drills"),
        Action.APPROVE_RUN: say("approve runs"),
        Action.OPERATE_RUN: say("start and operate runs"),
        Action.ANSWER_STEP: say("answer steps of a run"),
        Action.EDIT_FINDING: say("change findings"),
        Action.ACCEPT_RISK: say("accept risks"),
        Action.READ_AUDIT: say("read the audit log"),
        Action.ADMINISTER: say("administer"),
        Action.USE_OWN_SESSION: say("look after what is your own"),
    },
)
