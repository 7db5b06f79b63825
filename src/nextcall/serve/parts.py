"""What may stand beside the way of a prediction: each part is there, or its routes are not."""

from dataclasses import dataclass

from nextcall.feedback.feedback import Feedback
from nextcall.llm.ledger import Ledger
from nextcall.performance.history import RunHistory
from nextcall.resilience.breakers import Breakers
from nextcall.serve.assistant.service_assistant import ServiceAssistant
from nextcall.serve.breaker_notes import BreakerNotes
from nextcall.serve.caching.caches import ServiceCaches
from nextcall.serve.door.door import Door
from nextcall.serve.jobs.service_jobs import ServiceJobs
from nextcall.serve.models.challenger import Challenger
from nextcall.serve.observer import Observer
from nextcall.serve.safety.safety import Safety
from nextcall.trials.trials import Trials


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What an application is built of beside its predictor; whoever opened a part closes it."""

    trials: Trials | None = None
    """A/B tests. Without them there are no such routes."""
    door: Door | None = None
    """Says who may ask. Without it everybody may, as often as they like."""
    safety: Safety | None = None
    """Checks requests and answers; made of the settings where none is given."""
    caches: ServiceCaches | None = None
    """Keep answers, over the same predictor. Without them each is made anew."""
    observer: Observer | None = None
    """Hears of each request. Without one nothing is noted."""
    feedback: Feedback | None = None
    """Takes which predictions were taken. Without it there is no such route, and nothing of an
    answer is remembered."""
    history: RunHistory | None = None
    """Keeps runs of the performance suite. Without it they are told once."""
    ledger: Ledger | None = None
    """Keeps what language models cost. Without it they cost nothing, as it is told."""
    assistant: ServiceAssistant | None = None
    """Proposes calls with arguments. Without it there is no such route."""
    challenger: Challenger | None = None
    """Answers the users of another variant of the A/B test that is set."""
    jobs: ServiceJobs | None = None
    """Do work that takes minutes, and change the model of the same predictor. Without them there
    are no such routes, and no way back to the model before."""
    breakers: Breakers | None = None
    """Of the sides that the others ask; told by ``/health``."""
    notes: BreakerNotes | None = None
    """Hear of each change of the breakers, and know which failed lately."""
