// What a page writes and in which colours: [{text, ink, ground, opacity}], of every element that is
// seen and has a text of its own; of fields the placeholder too. Colours are [red, green, blue].
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const parts = (colour) => {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      known.set(colour, [...canvas.getImageData(0, 0, 1, 1).data]);
    }
    return known.get(colour);
  };
  const over = ([r, g, b, a], under) =>
    [r, g, b].map((value, place) => (value * a + under[place] * (255 - a)) / 255);
  const above = (element) => {
    const all = [];
    for (let each = element; each; each = each.parentElement) all.push(getComputedStyle(each));
    return all;
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const isField = "placeholder" in element;
    if (!(own || isField) || !element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest(".visually-hidden, noscript, option")) continue;
    const styles = above(element);
    const ground = styles.map((style) => parts(style.backgroundColor)).reverse()
      .reduce((under, layer) => over(layer, under), [255, 255, 255]);
    const opacity = Math.min(...styles.map((style) => Number(style.opacity)));
    const [style] = styles;
    const ink = element.namespaceURI.endsWith("svg") ? style.fill : style.color;
    const text = (element.textContent || element.value || "").trim().slice(0, 40);
    found.push({ text, ink: parts(ink).slice(0, 3), ground, opacity });
    if (!isField) continue;
    const hint = getComputedStyle(element, "::placeholder");
    const drawn = Math.min(opacity, Number(hint.opacity));
    found.push({ text: element.placeholder, ink: parts(hint.color).slice(0, 3), ground, opacity: drawn });
  }
  return found;
}
