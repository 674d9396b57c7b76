// The two maps, drawn by hand as SVG: where on earth a city is, and what lies around it.

import { DEGREES, NORTH, ROWS } from "./world.js";

const EARTH_KM = 6371.0088;
const RADIUS = 100;
const DOTS = { ".": 0.45, o: 0.7, O: 0.95 };

// --- the world ------------------------------------------------------------------------------------

/** Draw the world; `showOnWorld` then marks a place. */
export function drawWorld(svg) {
  const paths = Object.entries(DOTS).map(([letter, width]) =>
    shape("path", { class: "land", d: marks(letter), "stroke-width": width }),
  );
  const pin = shape("g", { class: "pin", visibility: "hidden" });
  pin.append(shape("circle", { class: "pulse", r: 4 }), shape("circle", { class: "dot", r: 1.4 }));
  svg.replaceChildren(...paths, pin);
}

function marks(letter) {
  // A line of no length with a round end is a dot.
  return ROWS.flatMap((row, y) => [...row].map((mark, x) => (mark === letter ? `M${x + 0.5} ${y + 0.5}h0` : ""))).join("");
}

export function showOnWorld(svg, { latitude, longitude }) {
  const x = (longitude + 180) / DEGREES;
  const y = Math.min(Math.max((NORTH - latitude) / DEGREES, 1), ROWS.length - 1);
  const pin = svg.querySelector(".pin");
  pin.setAttribute("transform", `translate(${x} ${y})`);
  pin.setAttribute("visibility", "visible");
}

// --- the surroundings -----------------------------------------------------------------------------

/**
 * Draw a city and its neighbours as one sees them from it: each in its direction, at its distance.
 *
 * Unlike degrees on a grid this is right beside the poles and across the 180th meridian too.
 */
export function drawAround(svg, city, neighbours, onChoose) {
  const places = neighbours.map((place) => ({ ...place, ...position(city, place) }));
  const step = niceStep(Math.max(...places.map((place) => place.km), 1) / 3);
  const rings = Math.max(Math.ceil(Math.max(...places.map((place) => place.km), 0) / step), 1);
  const scale = RADIUS / (rings * step);
  const crowd = Math.max(city.population, ...places.map((place) => place.population), 1);
  const drawn = places.map((place) => ({
    place,
    x: place.km * scale * Math.sin(place.bearing),
    y: -place.km * scale * Math.cos(place.bearing),
    r: 2 + 7 * Math.sqrt(place.population / crowd),
  }));
  const centre = { place: city, x: 0, y: 0, r: 2 + 7 * Math.sqrt(city.population / crowd) };
  const title = shape("title", { id: "map-title" });
  title.textContent = `Map of ${city.name} and its ${places.length} nearest cities`;
  svg.replaceChildren(
    title,
    ...drawRings(rings, step),
    ...drawn.sort((a, b) => b.r - a.r).map((one) => disc(one, "neighbour", () => onChoose(one.place))),
    disc(centre, "centre"),
    ...drawNames([centre, ...drawn], rings),
  );
}

/** How far (km) and in which direction (radians from north) a place is. */
export function position(from, to) {
  const [a, b] = [radians(from.latitude), radians(to.latitude)];
  const turn = radians(to.longitude - from.longitude);
  const half = Math.sin((b - a) / 2) ** 2 + Math.cos(a) * Math.cos(b) * Math.sin(turn / 2) ** 2;
  const y = Math.sin(turn) * Math.cos(b);
  const x = Math.cos(a) * Math.sin(b) - Math.sin(a) * Math.cos(b) * Math.cos(turn);
  return { km: 2 * EARTH_KM * Math.asin(Math.min(1, Math.sqrt(half))), bearing: Math.atan2(y, x) };
}

function drawRings(rings, step) {
  const every = RADIUS / rings;
  const lines = [`M0 ${-RADIUS}V${RADIUS}`, `M${-RADIUS} 0H${RADIUS}`];
  const found = [shape("path", { class: "axis", d: lines.join("") })];
  for (let ring = 1; ring <= rings; ring += 1) {
    found.push(shape("circle", { class: "ring", r: every * ring }));
    found.push(label(`${Number((step * ring).toPrecision(3))} km`, 0, every * ring + 2.5, "scale", "middle"));
  }
  return [...found, label("N", 0, -RADIUS - 6, "scale north", "middle")];
}

function disc({ place, x, y, r }, name, onClick) {
  const group = shape("g", { class: name });
  const tip = shape("title");
  tip.textContent = place.name;
  group.append(shape("circle", { cx: x, cy: y, r }), tip);
  // By pointer only: by keyboard the same is done in the list beside the map.
  if (onClick) group.addEventListener("click", onClick);
  return group;
}

/** Name as many places as find room, the first ones first. */
function drawNames(drawn, rings) {
  const taken = drawn.map(({ x, y, r }) => ({ left: x - r, right: x + r, top: y - r, bottom: y + r }));
  for (let ring = 1; ring <= rings; ring += 1) {
    const y = (RADIUS / rings) * ring + 2.5;
    taken.push({ left: -12, right: 12, top: y - 6, bottom: y + 2 });
  }
  const names = [];
  for (const { place, x, y, r } of drawn) {
    const width = place.name.length * 3.9;
    const sides = [
      { x: x + r + 2, anchor: "start", left: x + r + 2, y },
      { x: x - r - 2, anchor: "end", left: x - r - 2 - width, y },
      { x, anchor: "middle", left: x - width / 2, y: y - r - 5 },
      { x, anchor: "middle", left: x - width / 2, y: y + r + 5 },
    ];
    const boxes = sides.map((side) => ({ ...side, right: side.left + width, top: side.y - 4, bottom: side.y + 4 }));
    const room = boxes.find((box) => box.left > -119 && box.right < 119 && !taken.some((other) => meet(box, other)));
    if (!room) continue;
    taken.push(room);
    names.push(label(place.name, room.x, room.y + 2.5, "name", room.anchor));
  }
  return names;
}

function meet(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/** Round up to 1, 2 or 5 times a power of ten. */
function niceStep(km) {
  const power = 10 ** Math.floor(Math.log10(km));
  return [1, 2, 5, 10].find((factor) => factor * power >= km) * power;
}

function radians(degrees) {
  return (degrees * Math.PI) / 180;
}

function label(content, x, y, name, anchor) {
  const element = shape("text", { x, y, class: name, "text-anchor": anchor });
  element.textContent = content;
  return element;
}

function shape(tag, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
