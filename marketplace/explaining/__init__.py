"""Every problem type in words: what `{origin}/problems/<slug>` answers."""

from marketplace.explaining.gate import GATE
from marketplace.explaining.problem import Explained
from marketplace.explaining.purchases import PURCHASES

PROBLEMS: dict[str, Explained] = {problem.slug: problem for problem in [*GATE, *PURCHASES]}
