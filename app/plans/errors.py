"""What can stand in the way of a change of a plan, named after the fact."""

from app.core.errors import Conflict, InvalidInput, NotAllowed


class VersionImmutable(Conflict):
    """The version is in review, approved or retired: only a draft can be edited."""

    code = "version-immutable"


class VersionNotInReview(Conflict):
    """Only a version in review can be approved or sent back."""

    code = "version-not-in-review"


class DraftExists(Conflict):
    """There is a draft or a version in review already."""

    code = "draft-exists"


class NothingApproved(Conflict):
    """It needs an approved version, and there is none."""

    code = "nothing-approved"


class PlanRetired(Conflict):
    """The plan was retired."""

    code = "plan-retired"


class ClaimExists(Conflict):
    """The version has a claim with this key already."""

    code = "claim-exists"


class AuthorCannotApprove(NotAllowed):
    """Whoever wrote in a version cannot approve or review it."""

    code = "author-cannot-approve"


class OwnerCannotSign(NotAllowed):
    """An outside test is signed by someone who does not own the plan and did not write it."""

    code = "owner-cannot-sign"


class SecondPersonNeeded(NotAllowed):
    """Who asked for a weakening cannot approve it."""

    code = "second-person-needed"


class WeakeningNeedsReason(InvalidInput):
    """The plan asks less than before, or than the default, and nobody says why."""

    code = "weakening-needs-reason"


class EvidenceNewerThanSignature(InvalidInput):
    """Evidence, or the test itself, is of a later moment than the signature under it."""

    code = "evidence-newer-than-signature"


class AlreadyDecided(Conflict):
    """Somebody decided on this already."""

    code = "already-decided"
