"""The terms of this trade in Dutch and English, for who reads the API, a norm or a contract."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """One term in both languages, with what it means in both."""

    nl: str
    en: str
    meaning_nl: str
    meaning_en: str
    source: str = ""


TERMS = (
    Term(
        "hersteltijddoel (RTO)",
        "recovery time objective (RTO)",
        "De tijd waarbinnen een dienst na een uitval weer moet werken.",
        "The time within which a service must work again after an outage.",
        "ISO 22300",
    ),
    Term(
        "gegevensverliesdoel (RPO)",
        "recovery point objective (RPO)",
        "Hoeveel gegevens, in tijd, u bij een uitval hoogstens mag verliezen.",
        "How much data, in time, may be lost at most in an outage.",
        "ISO 22300",
    ),
    Term(
        "gemeten hersteltijd (RTA)",
        "recovery time actual (RTA)",
        "Hoelang het herstel in een oefening of in het echt duurde.",
        "How long recovery took in a drill or in reality.",
    ),
    Term(
        "gemeten gegevensverlies (RPA)",
        "recovery point actual (RPA)",
        "Hoeveel gegevens, in tijd, er verloren gingen: van de nieuwste wijziging die er nog is tot de dienst wegviel. "
        "Het verlies dat mensen accepteren telt door tot de oude kant is afgesneden.",
        "How much data, in time, was lost: from the newest change that survived until the service went away. "
        "The loss that people accept counts on until the old side was cut off.",
    ),
    Term(
        "maximaal toelaatbare uitval (MTPD)",
        "maximum tolerable period of disruption (MTPD)",
        "Hoelang u een dienst hoogstens kunt missen. De RTO is nooit langer.",
        "The longest that a service can be missed. The RTO is never longer.",
        "ISO 22300",
    ),
    Term(
        "minimaal niveau (MBCO)",
        "minimum business continuity objective (MBCO)",
        "Wat er tijdens een uitval minstens moet doorgaan: een getal en een eenheid.",
        "The least that must go on during an outage: a number and a unit.",
        "ISO 22300",
    ),
    Term(
        "minimaal levensvatbare organisatie (MVO)",
        "minimum viable organisation (MVO)",
        "De taken waarmee de organisatie kan blijven bestaan, op volgorde.",
        "The functions with which the organisation stays alive, in their order.",
    ),
    Term(
        "uitwijkplan",
        "fallback plan",
        "Zegt hoe een dienst doorgaat op een andere plek.",
        "Says how a service goes on in another place.",
    ),
    Term(
        "exitplan",
        "exit plan",
        "Zegt hoe u een leverancier verlaat. Gepland: de leverancier helpt mee. Noodexit: de leverancier is weg.",
        "Says how you leave a supplier. Planned: the supplier helps. Stressed: the supplier is gone.",
        "DORA 28(8)",
    ),
    Term(
        "geplande omschakeling",
        "switchover",
        "Van de ene kant naar de andere terwijl beide kanten werken.",
        "From one side to the other while both sides work.",
    ),
    Term(
        "noodomschakeling",
        "failover",
        "Naar de andere kant omdat de eerste kant weg is.",
        "To the other side because the first side is gone.",
    ),
    Term(
        "thuiskant",
        "home side",
        "De kant die nu het werk doet.",
        "The side that serves now.",
    ),
    Term(
        "afsluiten (fencing)",
        "fence",
        "Ervoor zorgen dat de oude kant niets meer kan schrijven. Alleen-lezen is niet genoeg.",
        "Make sure that the old side cannot write any more. Read-only is not enough.",
    ),
    Term(
        "claim",
        "claim",
        "Iets wat een plan zegt te kunnen en wat een oefening kan bewijzen.",
        "Something that a plan says it can do, and that a drill can prove.",
    ),
    Term(
        "bewijs",
        "proof",
        "Wat een oefening, een beoordeling of een test buiten Wissel over een claim liet zien.",
        "What a drill, a review or an outside test showed of a claim.",
    ),
    Term(
        "bewijsniveau (0–5)",
        "evidence level (0–5)",
        "0 niets, 1 gelezen, 2 doorgesproken, 3 een deel echt getest, 4 de hele keten, 5 in het echt.",
        "0 nothing, 1 reviewed, 2 talked through, 3 a part really tested, 4 the whole chain, 5 real life.",
    ),
    Term(
        "opzet, bestaan, werking",
        "design, existence, operating effectiveness",
        "De drie vragen van een auditor: is het er op papier, is het echt gedaan, gaat het steeds goed?",
        "An auditor's three questions: is it there on paper, was it really done, does it go well each time?",
    ),
    Term(
        "draaiboek",
        "playbook",
        "De stappen van een oefening in een bestand.",
        "The steps of a drill, in a file.",
    ),
    Term("oefening", "drill", "Een draaiboek dat voor een plan is ingepland.", "A playbook planned for a plan."),
    Term("uitvoering", "run", "Eén keer dat een draaiboek is uitgevoerd.", "One time that a playbook was carried out."),
    Term(
        "bevinding",
        "finding",
        "Iets wat misging of ontbreekt. Alleen een geslaagde hertest sluit haar.",
        "Something that went wrong or is missing. Only a passing retest closes it.",
    ),
    Term(
        "restrisico aanvaarden",
        "residual-risk acceptance",
        "Iemand met mandaat neemt een risico bewust voor zijn rekening, hoogstens een jaar.",
        "Somebody with the mandate knowingly takes a risk, for a year at most.",
    ),
    Term(
        "gedeeld lot",
        "shared fate",
        "Beide kanten leunen op hetzelfde. Valt dat weg, dan vallen beide kanten weg.",
        "Both sides lean on one thing. When that is lost, both are.",
    ),
)
