// Three arrows and three rings at the wrist, along the hand's own axes. A drag moves or turns the hand in the page and
// tells it when it is let go. Orbiting never sees a drag that begins here: the pointer is caught on its way down.
import { THREE } from "nicegui-scene";

const COLOURS = [0xd64545, 0x3f9b54, 0x3c6fd6];
const AXES = [new THREE.Vector3(1, 0, 0), new THREE.Vector3(0, 1, 0), new THREE.Vector3(0, 0, 1)];
const LENGTH = 0.055, RING = 0.045; // metres

export default class WristGizmo {
  mesh;

  create_mesh() {
    this.mesh = new THREE.Group();
    this.handles = [];
    AXES.forEach((axis, k) => {
      const material = () => new THREE.MeshBasicMaterial({ color: COLOURS[k], depthTest: false, transparent: true, opacity: 0.75 });
      const upright = new THREE.Quaternion().setFromUnitVectors(AXES[1], axis);
      const shaft = new THREE.Mesh(new THREE.CylinderGeometry(0.0012, 0.0012, LENGTH, 8), material());
      const head = new THREE.Mesh(new THREE.ConeGeometry(0.004, 0.012, 16), material());
      shaft.position.copy(axis).multiplyScalar(LENGTH / 2);
      head.position.copy(axis).multiplyScalar(LENGTH);
      const ring = new THREE.Mesh(new THREE.TorusGeometry(RING, 0.0012, 8, 48), material());
      shaft.quaternion.copy(upright);
      head.quaternion.copy(upright);
      ring.quaternion.setFromUnitVectors(AXES[2], axis);
      for (const [part, kind] of [[shaft, "move"], [head, "move"], [ring, "turn"]]) {
        part.userData = { axis: k, kind };
        part.renderOrder = 10;
        this.handles.push(part);
        this.mesh.add(part);
      }
    });
    // only while it is drawn are camera and canvas known
    this.handles[0].onBeforeRender = (renderer, _scene, camera) => {
      this.camera = camera;
      if (this.canvas) return;
      this.canvas = renderer.domElement;
      this.canvas.parentElement.addEventListener("pointerdown", this.down, { capture: true });
    };
    return this.mesh;
  }

  set_wrist(T) {
    const m = new THREE.Matrix4().set(...T);
    m.decompose(this.mesh.position, this.mesh.quaternion, this.mesh.scale);
  }

  wrist() {
    const m = new THREE.Matrix4().compose(this.mesh.position, this.mesh.quaternion, new THREE.Vector3(1, 1, 1));
    return m.transpose().toArray(); // three keeps columns, we keep rows
  }

  ray(event) {
    const box = this.canvas.getBoundingClientRect();
    const caster = new THREE.Raycaster();
    const x = (2 * (event.clientX - box.left)) / box.width - 1;
    const y = 1 - (2 * (event.clientY - box.top)) / box.height;
    caster.setFromCamera(new THREE.Vector2(x, y), this.camera);
    return caster;
  }

  // Where the pointer is on the axis (metres along it) or on the ring (radians about it).
  reading(event) {
    const { origin, direction } = this.ray(event).ray;
    const { axis, kind, centre } = this.drag;
    const to = new THREE.Vector3().subVectors(centre, origin);
    if (kind === "move") {
      const b = axis.dot(direction);
      return (direction.dot(to) * b - axis.dot(to)) / Math.max(1 - b * b, 1e-4);
    }
    const slope = axis.dot(direction);
    if (Math.abs(slope) < 0.05) return null; // seen from its edge, a ring has no angle
    const hit = origin.clone().addScaledVector(direction, to.dot(axis) / slope).sub(centre);
    return Math.atan2(hit.dot(this.drag.second), hit.dot(this.drag.first));
  }

  down = (event) => {
    if (!this.mesh.visible || event.button !== 0) return;
    const hit = this.ray(event).intersectObjects(this.handles)[0];
    if (!hit) return;
    event.stopPropagation();
    event.preventDefault();
    const { axis: k, kind } = hit.object.userData;
    const axis = AXES[k].clone().applyQuaternion(this.mesh.quaternion);
    const first = AXES[(k + 1) % 3].clone().applyQuaternion(this.mesh.quaternion);
    this.drag = { axis, kind, first, second: new THREE.Vector3().crossVectors(axis, first), centre: this.mesh.position.clone() };
    this.drag.turned = this.mesh.quaternion.clone();
    this.drag.start = this.reading(event);
    window.addEventListener("pointermove", this.move);
    window.addEventListener("pointerup", this.up, { once: true });
  };

  move = (event) => {
    const now = this.reading(event);
    if (now === null || this.drag.start === null) return;
    const { axis, kind, centre, start, turned } = this.drag;
    if (kind === "move") this.mesh.position.copy(centre).addScaledVector(axis, now - start);
    else this.mesh.quaternion.setFromAxisAngle(axis, now - start).multiply(turned);
    this.on_move?.(this.wrist());
  };

  up = () => {
    window.removeEventListener("pointermove", this.move);
    this.drag = null;
    this.on_release?.(this.wrist());
  };

  apply_material() {}

  dispose() {
    this.canvas?.parentElement.removeEventListener("pointerdown", this.down, { capture: true });
    for (const part of this.handles) {
      part.geometry.dispose();
      part.material.dispose();
    }
  }
}
