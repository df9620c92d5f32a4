"""Why a run or step came to be as it is, in both languages: of the system, of a person, or of a refusal."""

from app.core import i18n
from app.core.errors import Problem

Words = dict[str, str]
"""``{nl, en}``, as rows keep it."""


def words(nl: str, en: str) -> Words:
    """A reason that the system gives."""
    return {"nl": nl, "en": en}


def own_words(said: str) -> Words:
    """What a person wrote, in whatever language it was; nothing where nothing was written."""
    return {"nl": said, "en": said} if said else {}


def of_problem(problem: Problem) -> Words:
    """The sentence of a refusal in both languages."""
    found: Words = {}
    for language in ("nl", "en"):
        with i18n.speaking(language):
            found[language] = i18n.pick(problem.detail)
    return found


LATEST_END_PASSED = words(
    "De uiterste eindtijd van deze oefening is voorbij.", "The latest end of this drill has passed."
)
LOCK_LOST = words(
    "Iemand anders houdt nu het slot van de omgeving.", "The lock of the environment is held by somebody else now."
)
DECIDED_TO_STOP = words("Er is besloten te stoppen.", "The decision was to stop.")
ABORTED_BY_A_PERSON = words("Een persoon heeft de run afgebroken.", "A person aborted the run.")
UNATTENDED = words(
    "Niemand is bij deze run; het draaiboek laat hem zonder deze vraag doorgaan.",
    "Nobody attends this run; the playbook lets it go on without this question.",
)
PASSED_OVER = words("Een besluit ging aan deze stap voorbij.", "A decision went past this step.")
STOPPED_IN_THE_MIDDLE = words(
    "De oefening stopte midden in deze stap. Of het gevolg er is, is niet bekend.",
    "The drill stopped in the middle of this step. Whether its effect is there is not known.",
)
NOBODY_ANSWERED = words("Niemand heeft op tijd geantwoord.", "Nobody answered in time.")
CONFIGURATION_CHANGED = words(
    "De instellingen zijn gewijzigd nadat deze run is goedgekeurd. Keur hem opnieuw goed, of draai terug.",
    "The configuration changed since this run was approved. Approve it again, or undo.",
)
APPROVAL_ENDED = words(
    "De goedkeuring van deze run is ingetrokken of verlopen. Keur hem opnieuw goed, of draai terug.",
    "The approval of this run was revoked or has run out. Approve it again, or undo.",
)

DENIED_MEANWHILE = words(
    "Iemand die mag goedkeuren zei nee tegen deze run. Laat die persoon het nee intrekken, of draai terug.",
    "Somebody who may approve said no to this run. Have them take back the no, or undo.",
)
INTENT_WITHOUT_OUTCOME = words(
    "Deze stap was begonnen en heeft geen uitkomst. Kijk of het gevolg er is.",
    "This step had begun and has no outcome. Look whether its effect is there.",
)
MAY_HAVE_BEEN_DONE = words(
    "Deze stap was nog niet begonnen, maar kan na de back-up zijn gedaan. Kijk of het gevolg er is.",
    "This step had not begun, but may have been done after the backup. Look whether its effect is there.",
)
ONLY_A_PERSON_CAN_SAY = words(
    "Deze stap kan na de back-up al zijn gedaan, en Wissel kan dat niet zien. Kijk zelf. Is het gevolg er: ga door na "
    "de fout. Is het er niet: probeer opnieuw.",
    "This step may have been done after the backup, and Wissel can't see it. Look yourself. If its effect is there, go "
    "on after the failure. If it is not, try again.",
)
HELD_LOCK = words(
    "Deze run hield dit slot en krijgt een nieuw, hoger nummer. Stop wat nog van de oude installatie draait.",
    "This run held this lock and is given a new, higher token. Stop what still runs of the old installation.",
)
STILL_TO_CLEAN = words("Dit moest nog worden opgeruimd. Kijk of dat is gedaan.", "This was still to be cleaned up.")


def with_subjects(reason: Words, subjects: list[str]) -> Words:
    """A reason with the names of what must be looked at."""
    if not subjects:
        return reason
    names = ", ".join(subjects)
    return words(f"{reason['nl']} Kijk naar: {names}.", f"{reason['en']} Look at: {names}.")


def believed_home(pair: str, side: str) -> Words:
    """Which side the backup believed to serve; that is no more than a belief."""
    return words(
        f"De back-up zegt dat {pair} vanaf de kant '{side}' werkt. Sinds het terugzetten is niet gekeken. Kijk welke "
        "kant nu schrijfbaar is, en dat het er maar een is.",
        f"The backup says that {pair} works from the side '{side}'. Nobody looked since the restore. Look which side "
        "is writable now, and that it is only one.",
    )


NO_SPACE = words(
    "Er is een mens nodig: de schijf van Wissel is vol. Maak ruimte vrij en hervat; afbreken kan altijd.",
    "Needs a person: no space. The disk of Wissel is full. Free some space and resume; aborting is always possible.",
)


def unusable(problem: Problem) -> Words:
    """Why a configuration can't be used any more."""
    why = of_problem(problem)
    return words(
        f"De instellingen zijn niet meer te gebruiken: {why['nl']}",
        f"The configuration can't be used any more: {why['en']}",
    )


def by_guard(guard: str, seen: Words) -> Words:
    """A guard's name with what it saw."""
    return words(f"{guard}: {seen.get('nl', '')}", f"{guard}: {seen.get('en', '')}")
