// A textured object (GLB) that can be seen through, changed in place, and leaves nothing behind on the graphics card.
import { THREE, GLTFLoader } from "nicegui-scene";

const loader = new GLTFLoader();

export default class TexturedObject {
  mesh;

  async create_mesh(url) {
    this.mesh = new THREE.Group();
    this.opacity = 1;
    await this.set_url(url);
    return this.mesh;
  }

  async set_url(url) {
    this.wanted = url;
    if (!url) {
      this.clear();
      return;
    }
    const gltf = await loader.loadAsync(url);
    if (this.wanted !== url) return; // another object was chosen meanwhile
    this.clear();
    gltf.scene.traverse((child) => {
      // a GLB of plain colours has no material, and glTF's default is a metal, black where nothing is mirrored
      if (child.material) Object.assign(child.material, { metalness: 0, roughness: 0.8 });
    });
    this.mesh.add(gltf.scene);
    this.set_opacity(this.opacity);
  }

  set_opacity(opacity) {
    this.opacity = opacity;
    this.mesh.traverse((child) => {
      if (!child.material) return;
      child.material.transparent = opacity < 1;
      child.material.opacity = opacity;
      child.material.depthWrite = opacity >= 1;
      child.material.needsUpdate = true;
    });
  }

  clear() {
    this.mesh.traverse((child) => {
      child.geometry?.dispose();
      child.material?.map?.dispose();
      child.material?.dispose();
    });
    this.mesh.clear();
  }

  apply_material() {} // textures are its own

  dispose() {
    this.clear();
  }
}
