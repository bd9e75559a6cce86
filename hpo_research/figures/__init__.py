"""Pictures for papers: `draw_...` on axes of your own, `..._figure` arranged, `draw` as files."""

from hpo_research.figures import fonts
from hpo_research.figures.calibration import draw_coverage, draw_residuals
from hpo_research.figures.choices import draw_choices
from hpo_research.figures.contours import draw_contour
from hpo_research.figures.critical_difference import draw_critical_difference
from hpo_research.figures.finals import draw_finals
from hpo_research.figures.importance import draw_importance
from hpo_research.figures.improvement import draw_improvement
from hpo_research.figures.incumbent import draw_incumbent
from hpo_research.figures.learning import draw_learning_curves
from hpo_research.figures.parallel import draw_parallel
from hpo_research.figures.profiles import draw_profiles
from hpo_research.figures.ranks import draw_ranks
from hpo_research.figures.running_times import draw_running_times
from hpo_research.figures.search_times import draw_search_times
from hpo_research.figures.slices import draw_slice
from hpo_research.figures.sobol import draw_sobol
from hpo_research.figures.speed_ups import draw_speed_ups
from hpo_research.figures.surrogate import draw_acquisition, draw_belief, draw_surface
from hpo_research.figures.timeline import draw_timeline
from hpo_research.figures.trials import draw_trials
from hpo_research.figures.workers import draw_workers

__all__ = [
    "draw_acquisition",
    "draw_belief",
    "draw_choices",
    "draw_contour",
    "draw_coverage",
    "draw_critical_difference",
    "draw_finals",
    "draw_importance",
    "draw_improvement",
    "draw_incumbent",
    "draw_learning_curves",
    "draw_parallel",
    "draw_profiles",
    "draw_ranks",
    "draw_residuals",
    "draw_running_times",
    "draw_search_times",
    "draw_slice",
    "draw_sobol",
    "draw_speed_ups",
    "draw_surface",
    "draw_timeline",
    "draw_trials",
    "draw_workers",
    "fonts",
]
