"""How the joints of a hand are driven in PyBullet: towards an angle while it closes, as springs once it holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pybullet
from jaxtyping import Float

from yaff.search.config import PhysicsConfig
from yaff.search.states import Grip

Array = np.ndarray


class Motors:
    """The motors of one hand.

    While the hand closes they are servos of limited torque. A servo that presses gives its whole torque, whatever it is
    pulled by: two such sides that are not quite alike push an object along until one of them is at its target. A hand
    that holds something is compliant instead: a joint that is pushed back presses harder, one that gets its way presses
    less, like the muscles of a person and the impedance control of a robot hand.

    Args:
        client: PyBullet's world.
        hand: the body.
        links: its links, one for each degree of freedom.
        config: speed, stiffness, friction and damping.
    """

    def __init__(self, client: int, hand: int, links: Sequence[int], config: PhysicsConfig) -> None:
        self._client, self._hand, self._links, self._config = client, hand, list(links), config
        self._springs: list[int] = []
        self._grip: Grip | None = None

    def angles(self) -> Float[Array, "dof"]:
        """Where the joints are, radians."""
        states = pybullet.getJointStates(self._hand, self._links, physicsClientId=self._client)
        return np.array([state[0] for state in states])

    def torques(self) -> Float[Array, "dof"]:
        """What the servos gave in the last step, newton metres."""
        states = pybullet.getJointStates(self._hand, self._links, physicsClientId=self._client)
        return np.array([state[3] for state in states])

    def fastest(self) -> float:
        """Speed of the fastest joint, radians per second."""
        states = pybullet.getJointStates(self._hand, self._links, physicsClientId=self._client)
        return max(abs(state[1]) for state in states)

    def drive(self, target: Float[Array, "dof"], torque: Float[Array, "dof"]) -> None:
        """Move towards angles (radians) with at most these torques (newton metres)."""
        for link, angle, limit in zip(self._links, target, torque, strict=True):
            self._servo(link, angle, limit)

    def hold(self, grip: Grip) -> None:
        """Springs where the grip has them, servos elsewhere; call :meth:`react` before every step from now on."""
        soft = grip.stiffness > 0.0
        self._springs = [link for link, spring in zip(self._links, soft, strict=True) if spring]
        self._grip = Grip(grip.angles[soft], grip.torque[soft], grip.stiffness[soft], grip.most[soft])
        for link, spring, angle, most in zip(self._links, soft, grip.angles, grip.most, strict=True):
            if not spring:
                self._servo(link, angle, most)
        pybullet.setJointMotorControlArray(
            self._hand,
            self._springs,
            pybullet.VELOCITY_CONTROL,
            targetVelocities=[0.0] * len(self._springs),
            forces=[self._config.joint_friction] * len(self._springs),
            physicsClientId=self._client,
        )

    def react(self) -> None:
        """The torques of the springs for the next step; PyBullet forgets them after it."""
        grip = self._grip
        if grip is None or not self._springs:
            return
        states = pybullet.getJointStates(self._hand, self._springs, physicsClientId=self._client)
        angles, speeds = np.array([(state[0], state[1]) for state in states]).T
        torque = grip.torque + grip.stiffness * (grip.angles - angles) - self._config.joint_damping * speeds
        pybullet.setJointMotorControlArray(
            self._hand,
            self._springs,
            pybullet.TORQUE_CONTROL,
            forces=np.clip(torque, -grip.most, grip.most).tolist(),
            physicsClientId=self._client,
        )

    def _servo(self, link: int, angle: float, limit: float) -> None:
        pybullet.setJointMotorControl2(
            self._hand,
            link,
            pybullet.POSITION_CONTROL,
            targetPosition=float(angle),
            force=float(limit),
            maxVelocity=self._config.closing_speed,
            physicsClientId=self._client,
        )
