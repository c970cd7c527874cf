// A camera image behind the scene, seen through the camera that took it, and its objects as things that hide what is
// behind them but leave the image as it is. The scene's origin is the camera; x is right, y down, z ahead.
import { THREE, GLTFLoader } from "nicegui-scene";

const loader = new GLTFLoader();

export default class CameraFrame {
  mesh;

  create_mesh() {
    this.mesh = new THREE.Group();
    // a speck without colour or depth: only while something is drawn are scene and camera known
    const speck = new THREE.Mesh(
      new THREE.BoxGeometry(1e-4, 1e-4, 1e-4),
      new THREE.MeshBasicMaterial({ colorWrite: false, depthWrite: false }),
    );
    speck.frustumCulled = false;
    speck.onBeforeRender = (_renderer, scene, camera) => this.apply(scene, camera);
    this.mesh.add(speck);
    const lamp = new THREE.DirectionalLight(0xffffff, 1.2); // from beside the camera: flat skin has no shape
    lamp.position.set(-0.4, -0.6, -0.2);
    lamp.target.position.set(0, 0, 1);
    this.mesh.add(lamp, lamp.target);
    this.bodies = new Map(); // promises of what was loaded
    this.hiders = new THREE.Group();
    this.mesh.add(this.hiders);
    return this.mesh;
  }

  // image: url; size: of the image, pixels; focal: vertical, pixels; crop: left, top, width, height in the image;
  // centre: principal point, pixels; hiders: [{url, T}] with T in the camera's frame, row by row
  async set_frame(frame) {
    this.wanted = frame;
    if (!frame) return this.change(null, null, []);
    const count = {};
    const loading = frame.hiders.map(({ url }) => this.body(url, (count[url] = (count[url] ?? 0) + 1)));
    const [texture, ...bodies] = await Promise.all([new THREE.TextureLoader().loadAsync(frame.image), ...loading]);
    if (this.wanted !== frame) return texture.dispose(); // another frame was chosen meanwhile
    bodies.forEach((body, k) => body.matrix.set(...frame.hiders[k].T));
    const [left, top, width, height] = frame.crop, [w, h] = frame.size;
    texture.colorSpace = THREE.SRGBColorSpace;
    texture.offset.set(left / w, 1 - (top + height) / h);
    texture.repeat.set(width / w, height / h);
    this.change(frame, texture, bodies);
  }

  // An object's body, loaded once, that hides what is behind it; the same object may be in a frame more than once.
  body(url, nth) {
    const key = `${nth} ${url}`;
    if (!this.bodies.has(key))
      this.bodies.set(
        key,
        loader.loadAsync(url).then(({ scene }) => {
          scene.traverse((child) => {
            if (!child.isMesh) return;
            child.material.map?.dispose();
            child.material = new THREE.MeshBasicMaterial({ colorWrite: false, side: THREE.DoubleSide });
            child.renderOrder = -1;
          });
          const body = new THREE.Group();
          body.matrixAutoUpdate = false;
          return body.add(scene);
        }),
      );
    return this.bodies.get(key);
  }

  change(frame, texture, bodies) {
    this.texture?.dispose();
    this.texture = texture;
    this.hiders.clear();
    for (const body of bodies) this.hiders.add(body);
    this.shown = frame;
    this.stale = true;
  }

  apply(scene, camera) {
    if (!this.stale) return;
    this.stale = false;
    this.plain ??= scene.background;
    scene.background = this.texture ?? this.plain;
    if (!this.shown) return;
    const { size: [w, h], focal, centre, crop: [left, top, width, height] } = this.shown;
    camera.fov = (2 * Math.atan(h / (2 * focal)) * 180) / Math.PI;
    camera.near = 0.01;
    // three's cameras look through the middle of their image; ours through the principal point
    camera.setViewOffset(w, h, left - centre[0] + w / 2 - 0.5, top - centre[1] + h / 2 - 0.5, width, height);
  }

  apply_material() {}

  async dispose() {
    this.texture?.dispose();
    for (const loading of this.bodies.values())
      (await loading).traverse((child) => {
        child.geometry?.dispose();
        child.material?.dispose();
      });
  }
}
