"""Everything the search can be told, in one frozen configuration that is stored with its verdicts. SI units."""

from __future__ import annotations

from dataclasses import dataclass, field

from yaff.errors import ConfigError
from yaff.search.eigengrasp_config import EigengraspConfig


@dataclass(frozen=True)
class ProposalConfig:
    """Where wrist and preshape are proposed."""

    opposition_points: int = 1500
    """Surface points from which opposing surface is looked for, per object."""
    opposition_angle: float = 0.6
    """Largest angle between the surface normals and the opposition axis, radians."""
    candidates: int = 1024
    """Placements drawn for each object and type, of which the least colliding go on to refinement."""
    aperture_steps: int = 12
    """Closures of the preshape, open to closed, that are tabulated."""
    moment_arm: float = 0.02
    """About how far from the centre of mass half of the placements are on an object that weighs as much as a side of
    the opposition can press, metres; on lighter ones farther off, in proportion."""
    clearance: float = 0.006
    """How much wider than the object the hand is opened, metres."""


@dataclass(frozen=True)
class RefinementConfig:
    """The batched gradient descent on wrist and degrees of freedom."""

    batch: int = 48
    """Candidates refined for each object and type."""
    iterations: int = 80
    """Steps of Adam."""
    step: float = 0.002
    """Step size at the start, metres; angles take the step over their lever."""
    finger_lever: float = 0.04
    """Metres that the skin moves for one radian of a finger joint, about."""
    wrist_lever: float = 0.1
    """Metres that the skin moves for one radian of the wrist, about."""
    skin_depth: float = 0.001
    """How deep skin pads are drawn into the object: soft skin flattens where it touches, metres."""
    contact_weight: float = 1.0
    penetration_weight: float = 30.0
    normal_weight: float = 0.2
    balance_weight: float = 1.0
    posture_weight: float = 0.02
    avoid_weight: float = 2.0
    avoid_distance: float = 0.006
    """Patches that must not touch stay this far off, metres."""
    self_weight: float = 2.0
    thumb_weight: float = 60.0
    table_weight: float = 30.0
    """Of the depth below the table, for hands that were proposed above one."""
    table_clearance: float = 0.001
    """How far hands stay above the table that they were proposed for, metres."""
    rounds: int = 4
    """How many batches are tried while fewer grasps than ``enough`` are verified."""
    enough: int = 8
    """Verified grasps with which no further batch is begun; the batch at hand goes on to ``from_anywhere``."""
    from_anywhere: int = 12
    """Verified grasps with which no further hand is tried that may come from anywhere: the other places are for hands
    that can take the object from a table."""
    promise: int = 3
    """A pair of which fewer refined hands than this came as far as the shakes, and none held, is given up; of one with
    as many verified grasps a last batch is tried for hands above a table."""
    patience: int = 40
    """Hands that are closed of a pair at the least before it is given up because fewer than ``least_yield`` held."""
    least_yield: float = 0.05
    """Share of its closed hands that has to hold, for a pair not to be given up after ``patience`` of them."""
    most_doubt: float = 0.7
    """Candidates that are more doubtful (:class:`yaff.search.screen.Screened`) are not closed: three in ten of the
    others held, one in a hundred of those that held was beyond it."""
    least_closed: int = 6
    """Candidates of each batch that are closed even if they are doubtful."""
    reach: float = 0.015
    """Groups that must touch and are farther off than this after refinement will not touch, metres."""


@dataclass(frozen=True)
class PhysicsConfig:
    """The articulated hand in PyBullet: closing, settling, shaking."""

    time_step: float = 1.0 / 240.0
    """Seconds."""
    friction: float = 0.6
    """Combined Coulomb friction of skin and object."""
    torsional_friction: float = 0.02
    """Combined torsional friction, metres (radius of the contact patch)."""
    skin_margin: float = 0.0015
    """Compliance of the skin: rigid links are this much thinner than the hand, metres."""
    closing_iterations: int = 20
    """Iterations of the solver in a step while the hand closes; the shakes have Bullet's default."""
    shaking_iterations: int = 50
    """Iterations of the solver in a step of a shake; 50 is Bullet's default."""
    reach_time: float = 0.3
    """Seconds at most that the fingers close on the object while it is held."""
    closing_time: float = 0.3
    """Seconds at most that the fingers then press the object between them."""
    closing_speed: float = 1.5
    """Speed of the closing joints, radians per second."""
    closing_drag: float = 0.5
    """Share of the object's velocity lost in each step while the hand closes: it is held by a table or another hand."""
    opening: float = 0.03
    """How far the fingers open from the refined posture before they close, radians."""
    squeeze: float = 0.35
    """How far beyond the refined posture the fingers may close until they meet the held object, radians; a joint stops
    once something touches that it moves."""
    press: float = 0.05
    """How far beyond where they met it the fingers are asked to press at a time, radians."""
    most_press: float = 0.2
    """How far in all, while they press too softly, radians."""
    stiffness: float = 2400.0
    """Of a fingertip by each joint of its finger, once the hand holds something, newtons per metre; three joints yield
    together, so that a finger has a third of it. A person's has 200 to 800 N/m, more the harder it presses (Hajian and
    Howe, "Identification of the mechanical impedance at the human finger tip", J. Biomech. Eng. 1997)."""
    joint_friction: float = 0.03
    """Of each joint that presses, once the hand holds something, newton metres."""
    joint_damping: float = 0.01
    """The same, newton metre seconds per radian."""
    armature: float = 1e-4
    """Inertia of each link about its axes, as if of the tendons that drive it; the solver needs it to press with the
    whole torque, kilogram square metres."""
    least_force: float = 2.5
    """Force of a digit at the least, newtons."""
    most_force: float = 15.0
    """Force of a digit at the most, as its torques are set for its tip, newtons."""
    most_digit_force: float = 20.0
    """What a digit may press with, as measured in its contacts, newtons; beyond it the torques are brought down."""
    force_per_weight: float = 4.0
    """Grip force of each side of the opposition in weights of the object over the friction."""
    passive_torque: float = 2.0
    """Torque with which joints that do not close hold their place, newton metres."""
    shake_time: float = 1.0
    """Seconds of one weight along each of the six axes."""
    most_translation: float = 0.02
    """Motion of the object's centre under a shake, metres."""
    most_rotation: float = 0.2617993877991494
    """Rotation of the object under a shake, radians (15 degrees)."""
    settle_translation: float = 0.05
    """Motion of the object while the hand closes beyond which the grasp is another one, metres."""
    gravity: float = 9.81


@dataclass(frozen=True)
class SelectionConfig:
    """Which verified grasps are kept."""

    keep: int = 20
    """Grasps kept for each object and type."""
    least_distance: float = 0.02
    """Two kept grasps differ by this in wrist position (metres) or by ``least_angle``."""
    least_angle: float = 0.3490658503988659
    """Radians (20 degrees)."""
    most_penetration: float = 0.004
    """Deepest skin point of a kept grasp, metres."""
    most_intersection: float = 1.5e-6
    """Volume shared by hand and object in a kept grasp, cubic metres: a finger through a thin wall is never deep."""
    most_self_penetration: float = 0.006
    """Deepest overlap of the hand with itself in a kept grasp, metres."""
    contact_distance: float = 0.003
    """Skin this close to the object touches it, metres."""


@dataclass(frozen=True)
class PregraspConfig:
    """How the hand comes to the grasp."""

    distance: float = 0.08
    """How far the wrist is drawn back along the approach, metres."""
    steps: int = 6
    """Postures checked on the way."""
    tolerance: float = 0.004
    """Skin may pass this deep through the object on the way (contact at the start of the way included), metres."""


@dataclass(frozen=True)
class SearchConfig:
    """The whole search: propose, refine, close in physics, verify, select."""

    propose: ProposalConfig = field(default_factory=ProposalConfig)
    refine: RefinementConfig = field(default_factory=RefinementConfig)
    physics: PhysicsConfig = field(default_factory=PhysicsConfig)
    pregrasp: PregraspConfig = field(default_factory=PregraspConfig)
    select: SelectionConfig = field(default_factory=SelectionConfig)
    eigengrasp: EigengraspConfig = field(default_factory=EigengraspConfig)
    """Of the baseline planner only."""

    def __post_init__(self) -> None:
        counts = {
            "propose.candidates": self.propose.candidates,
            "refine.batch": self.refine.batch,
            "refine.iterations": self.refine.iterations,
            "refine.rounds": self.refine.rounds,
            "refine.enough": self.refine.enough,
            "select.keep": self.select.keep,
        }
        for name, value in counts.items():
            if value < 1:
                raise ConfigError(f"search.{name} is {value}", remedy="give a count of at least 1")
        if self.physics.friction <= 0.0 or self.physics.time_step <= 0.0:
            raise ConfigError("search.physics.friction and time_step must be positive")
