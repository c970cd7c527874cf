"""What the eigengrasp planner can be told. Lengths in metres, energies in GraspIt's unit (a millimetre)."""

from __future__ import annotations

from dataclasses import dataclass

from yaff.errors import ConfigError


@dataclass(frozen=True)
class EigengraspConfig:
    """GraspIt's simulated annealing. The schedule is its default one (``ANNEAL_DEFAULT`` of the released source)."""

    eigengrasps: int = 2
    """Amplitudes searched beside the wrist's six variables (Ciocarlie and Allen 2009, section 3: two)."""
    chains: int = 32
    """Independent annealings, run side by side; each gives its best state."""
    steps: int = 1500
    """States that each chain looks at; they go through the whole schedule, evenly."""
    rounds: int = 2
    """How many times all chains are run while fewer grasps than wanted are verified."""
    first_step: float = 30000.0
    """The schedule's step k to start from."""
    last_step: float = 100000.0
    """The schedule's step k at the end: 70000 later, where GraspIt stops."""
    start_temperature: float = 1e6
    """T0; the temperature at step k is ``T0 exp(-c k^(1/d))`` (Ingber 1989)."""
    cooling: float = 7.0
    """c, of neighbours and of acceptance alike."""
    dimensions: float = 8.0
    """d."""
    neighbour_scale: float = 1.0
    """Factor on the temperature when neighbours are drawn."""
    energy_scale: float = 1e-6
    """Factor on energies when a worse state is accepted or not."""
    reach: float = 0.1
    """The palm is looked for up to this far outside the object's largest radius, metres."""
    tolerance: float = 0.001
    """Skin this deep in the object is no collision yet, metres."""
    normal_weight: float = 50.0
    """Millimetres that a virtual contact pays for a normal at right angles to the surface (100 for one turned away)."""
    contacts: int = 3
    """Virtual contacts on each group of patches of the type; twice as many on the palm."""

    def __post_init__(self) -> None:
        for name in ("eigengrasps", "chains", "steps", "rounds", "contacts"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"search.eigengrasp.{name} is {getattr(self, name)}", remedy="give a count of at least 1"
                )
        if not 0.0 < self.first_step < self.last_step:
            raise ConfigError(
                f"search.eigengrasp goes from step {self.first_step} to {self.last_step}", remedy="0 < first < last"
            )
