// Sliders of one group of fingers. They pose the hand in the page while they are dragged, and tell the server once, when
// they are let go. This element is also what ties the gizmo to the hand: it knows the scene.
export default {
  template: `
    <div class="yaff-joints">
      <div v-for="f in freedoms" :key="f.name" class="yaff-joint" :class="{ 'yaff-limit': at_limit(f) }">
        <label :for="'joint-' + f.name" :title="f.name + ': ' + f.source">{{ f.label }}</label>
        <input type="range" :id="'joint-' + f.name" :data-joint="f.name" :min="f.lower" :max="f.upper" step="0.5"
               :value="values[f.name]" :disabled="!enabled" @input="slide(f, $event)" @change="release(f, $event)"
               @keydown.stop.left @keydown.stop.right />
        <output>{{ Math.round(values[f.name]) }}°</output>
      </div>
    </div>`,
  props: { freedoms: Array, scene: Number, hand: String, gizmo: String, lead: Boolean, also: Array, shown: Object },
  data: () => ({ values: {}, enabled: false }),
  // what is shown comes as a property and not as a call: a page that is still being made would miss the call
  watch: {
    shown: {
      handler({ angles, enabled }) {
        this.enabled = enabled;
        for (const f of this.freedoms) this.values[f.name] = angles[f.name] ?? 0;
      },
      immediate: true,
    },
  },
  mounted() {
    if (this.lead) this.tie = setInterval(this.tie_gizmo, 200);
  },
  beforeUnmount() {
    clearInterval(this.tie);
  },
  methods: {
    component(id) {
      return getElement(this.scene)?.objects?.get(id)?.component;
    },
    // the hand, and those in other scenes that follow it
    hands() {
      const others = (this.also ?? []).map(([scene, id]) => getElement(scene)?.objects?.get(id)?.component);
      return [this.component(this.hand), ...others].filter((h) => h?.mesh);
    },
    tie_gizmo() {
      const gizmo = this.component(this.gizmo), hand = this.component(this.hand);
      if (!gizmo?.mesh || !hand?.mesh) return;
      gizmo.on_move = (T) => this.hands().forEach((h) => h.set_wrist(T));
      gizmo.on_release = (T) => this.$emit("wrist", { wrist: T });
      clearInterval(this.tie);
    },
    at_limit(f) {
      const v = this.values[f.name];
      return v <= f.lower + 0.5 || v >= f.upper - 0.5;
    },
    slide(f, event) {
      this.values[f.name] = Number(event.target.value);
      for (const hand of this.hands()) hand.set_angle(f.name, (this.values[f.name] * Math.PI) / 180);
    },
    release(f, event) {
      this.$emit("joint", { name: f.name, degrees: Number(event.target.value) });
    },
  },
};
