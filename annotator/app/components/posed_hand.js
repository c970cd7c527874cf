// A hand posed in the page, exactly as the library poses it: shape and pose corrections, forward kinematics and linear
// blend skinning on the CPU (778 vertices take a fraction of a millisecond), so that a slider moves skin without a round
// trip. Colours show contact and penetration from the object's distance field.
import { THREE } from "nicegui-scene";

// colours of vertices are linear light
const linear = (hex) => new THREE.Color(hex).toArray();
const SKIN = linear("#c99a83");
const CONTACT = linear("#3fb86b");
const DEEP = linear("#d91f1f");
const CONTACT_DISTANCE = 0.003; // metres
const DEEPEST = 0.006; // metres at which red is full

const hands = new Map(); // url -> promise of the hand's arrays, shared by all scenes of the page
const fields = new Map(); // url -> promise of a distance field

function floats(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

async function loadHand(url) {
  const raw = await (await fetch(url)).json();
  const hand = { parents: raw.parents, freedoms: raw.freedoms };
  for (const name of ["template", "weights", "shape_directions", "pose_directions", "joint_regressor"])
    hand[name] = floats(raw[name]);
  hand.faces = Uint16Array.from(raw.faces);
  return hand;
}

async function loadField(url) {
  const buffer = await (await fetch(url)).arrayBuffer();
  const counts = new Int32Array(buffer, 0, 3);
  const head = new Float32Array(buffer, 12, 5); // origin (3), spacing, metres of one unit
  return {
    counts,
    origin: head.slice(0, 3),
    spacing: head[3],
    unit: head[4],
    values: new Int16Array(buffer, 32),
  };
}

function rotationOf(x, y, z) {
  // Rodrigues' formula; rows of a 3x3 matrix in one array
  const angle = Math.hypot(x, y, z);
  if (angle < 1e-12) return [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const [a, b, c] = [x / angle, y / angle, z / angle];
  const s = Math.sin(angle), t = Math.cos(angle), u = 1 - t;
  return [
    t + a * a * u, a * b * u - c * s, a * c * u + b * s,
    a * b * u + c * s, t + b * b * u, b * c * u - a * s,
    a * c * u - b * s, b * c * u + a * s, t + c * c * u,
  ];
}

function product(a, b) {
  const out = new Array(9);
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++) out[3 * i + j] = a[3 * i] * b[j] + a[3 * i + 1] * b[3 + j] + a[3 * i + 2] * b[6 + j];
  return out;
}

function turned(r, x, y, z) {
  return [r[0] * x + r[1] * y + r[2] * z, r[3] * x + r[4] * y + r[5] * z, r[6] * x + r[7] * y + r[8] * z];
}

export default class PosedHand {
  mesh;

  async create_mesh(url) {
    if (!hands.has(url)) hands.set(url, loadHand(url));
    this.hand = await hands.get(url);
    const n = this.hand.template.length / 3;
    this.geometry = new THREE.BufferGeometry();
    this.geometry.setIndex(new THREE.BufferAttribute(this.hand.faces, 1));
    this.positions = new THREE.BufferAttribute(new Float32Array(3 * n), 3);
    this.colours = new THREE.BufferAttribute(new Float32Array(3 * n).fill(1), 3);
    this.geometry.setAttribute("position", this.positions);
    this.geometry.setAttribute("color", this.colours);
    const material = new THREE.MeshPhongMaterial({ vertexColors: true, side: THREE.DoubleSide, shininess: 8 });
    this.mesh = new THREE.Mesh(this.geometry, material);
    this.mesh.frustumCulled = false;
    this.rotations = Array.from({ length: 15 }, () => [1, 0, 0, 0, 1, 0, 0, 0, 1]);
    this.angles = {};
    this.wrist = { rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1], origin: [0, 0, 0] };
    this.rest(new Array(10).fill(0));
    this.pose();
    return this.mesh;
  }

  // Vertices and joints of this hand shape before it is posed.
  rest(shape) {
    const { template, shape_directions, joint_regressor } = this.hand;
    const n = template.length / 3;
    this.shaped = Float32Array.from(template);
    for (let k = 0; k < 3 * n; k++) for (let s = 0; s < 10; s++) this.shaped[k] += shape_directions[10 * k + s] * shape[s];
    this.joints = new Float32Array(48);
    for (let j = 0; j < 16; j++)
      for (let v = 0; v < n; v++) {
        const w = joint_regressor[j * n + v];
        if (w !== 0) for (let d = 0; d < 3; d++) this.joints[3 * j + d] += w * this.shaped[3 * v + d];
      }
    this.correction = null;
  }

  // A whole grasp: pose (45), angles by name, wrist as T_object_hand (16, row by row), shape (10).
  load(grasp) {
    this.rest(grasp.shape);
    for (let j = 0; j < 15; j++) this.rotations[j] = rotationOf(...grasp.pose.slice(3 * j, 3 * j + 3));
    this.angles = { ...grasp.angles };
    this.set_wrist(grasp.wrist);
  }

  set_wrist(T) {
    this.wrist = {
      rotation: [T[0], T[1], T[2], T[4], T[5], T[6], T[8], T[9], T[10]],
      origin: [T[3], T[7], T[11]],
    };
    this.pose();
  }

  // One degree of freedom, radians. Only its joint is turned anew; the others keep their rotations.
  set_angle(name, angle) {
    const joint = this.hand.freedoms.find((f) => f.name === name).joint;
    this.angles[name] = angle;
    let rotation = [1, 0, 0, 0, 1, 0, 0, 0, 1];
    for (const f of this.hand.freedoms)
      if (f.joint === joint) rotation = product(rotation, rotationOf(...f.axis.map((a) => a * (this.angles[f.name] ?? 0))));
    this.rotations[joint - 1] = rotation;
    this.pose();
    return this.milliseconds;
  }

  pose() {
    const start = performance.now();
    const { weights, pose_directions, parents } = this.hand;
    const n = this.shaped.length / 3;
    const bent = Float32Array.from(this.shaped);
    const feature = new Float32Array(135);
    const identity = [1, 0, 0, 0, 1, 0, 0, 0, 1];
    for (let j = 0; j < 15; j++) for (let k = 0; k < 9; k++) feature[9 * j + k] = this.rotations[j][k] - identity[k];
    for (let p = 0; p < 135; p++) {
      const f = feature[p];
      if (f !== 0) for (let k = 0, at = p * 3 * n; k < 3 * n; k++, at++) bent[k] += f * pose_directions[at];
    }
    // bones: rotation and the shift that takes a rest vertex to its place
    const turns = [this.wrist.rotation], places = [this.wrist.origin];
    for (let j = 1; j < 16; j++) {
      const p = parents[j];
      const offset = turned(
        turns[p],
        this.joints[3 * j] - this.joints[3 * p],
        this.joints[3 * j + 1] - this.joints[3 * p + 1],
        this.joints[3 * j + 2] - this.joints[3 * p + 2],
      );
      places.push(places[p].map((v, d) => v + offset[d]));
      turns.push(product(turns[p], this.rotations[j - 1]));
    }
    const shifts = turns.map((r, j) => {
      const back = turned(r, this.joints[3 * j], this.joints[3 * j + 1], this.joints[3 * j + 2]);
      return places[j].map((v, d) => v - back[d]);
    });
    const out = this.positions.array;
    out.fill(0);
    for (let v = 0; v < n; v++) {
      const x = bent[3 * v], y = bent[3 * v + 1], z = bent[3 * v + 2];
      for (let j = 0; j < 16; j++) {
        const w = weights[16 * v + j];
        if (w < 1e-9) continue;
        const r = turns[j], t = shifts[j];
        out[3 * v] += w * (r[0] * x + r[1] * y + r[2] * z + t[0]);
        out[3 * v + 1] += w * (r[3] * x + r[4] * y + r[5] * z + t[1]);
        out[3 * v + 2] += w * (r[6] * x + r[7] * y + r[8] * z + t[2]);
      }
    }
    this.positions.needsUpdate = true;
    this.geometry.computeVertexNormals();
    this.paint();
    this.milliseconds = performance.now() - start;
  }

  // The object's distance field; null paints plain skin.
  async set_field(url) {
    this.wanted = url;
    if (url && !fields.has(url)) fields.set(url, loadField(url));
    const field = url ? await fields.get(url) : null;
    if (this.wanted !== url) return; // another object was chosen meanwhile
    this.field = field;
    this.paint();
  }

  distance(x, y, z) {
    const { counts, origin, spacing, unit, values } = this.field;
    const place = [(x - origin[0]) / spacing, (y - origin[1]) / spacing, (z - origin[2]) / spacing];
    const cell = place.map(Math.floor);
    for (let d = 0; d < 3; d++) if (cell[d] < 0 || cell[d] + 1 >= counts[d]) return 1;
    const [fx, fy, fz] = place.map((v, d) => v - cell[d]);
    const at = (i, j, k) => values[((cell[0] + i) * counts[1] + cell[1] + j) * counts[2] + cell[2] + k];
    const along = (j, k) => at(0, j, k) * (1 - fx) + at(1, j, k) * fx;
    const across = (k) => along(0, k) * (1 - fy) + along(1, k) * fy;
    return unit * (across(0) * (1 - fz) + across(1) * fz);
  }

  paint() {
    const colours = this.colours.array, points = this.positions.array;
    this.contacts = 0;
    this.deepest = 0;
    for (let v = 0; v < points.length / 3; v++) {
      let colour = this.skin ?? SKIN;
      if (this.field) {
        const d = this.distance(points[3 * v], points[3 * v + 1], points[3 * v + 2]);
        if (d < CONTACT_DISTANCE) {
          this.contacts += 1;
          this.deepest = Math.max(this.deepest, -d);
          const share = Math.min(Math.max((-d - 0.001) / (DEEPEST - 0.001), 0), 1);
          colour = CONTACT.map((c, k) => c * (1 - share) + DEEP[k] * share);
        }
      }
      colours[3 * v] = colour[0];
      colours[3 * v + 1] = colour[1];
      colours[3 * v + 2] = colour[2];
    }
    this.colours.needsUpdate = true;
  }

  // another colour of skin, to tell hands apart
  set_skin(colour) {
    this.skin = linear(colour);
    this.paint();
  }

  set_opacity(opacity) {
    this.mesh.material.transparent = opacity < 1;
    this.mesh.material.opacity = opacity;
  }

  vertices() {
    return Array.from(this.positions.array);
  }

  apply_material() {} // colours are its own

  dispose() {
    this.geometry.dispose();
    this.mesh.material.dispose();
  }
}
