"use strict";
// What a formula does with its cells, read from the formula alone: windows and kernels, their sum, the bias, the
// activation; or a window and what is taken of it.

/**
 * @typedef {object} Account
 * @property {{window: Area, kernel: Area}[]} products
 * @property {{area: Area, name: string} | null} pool a window, and `largest`, `smallest` or `mean`
 * @property {Area[]} added single cells that are added, as a bias
 * @property {number | null} sum before the activation
 * @property {string} activation its name, or an empty text
 * @property {[number, number] | null} limits between which the activation lets the sum pass, and where it cuts it off
 * @property {Area[]} used everything else that the formula reads
 */

/** @type {Record<string, string>} */
const POOLS = { MAX: "largest", MIN: "smallest", AVERAGE: "mean" };

/** @param {Formula} formula @returns {Account} */
function accountOf(formula) {
  const { compiler, tree, named } = formula.pattern;
  const { inner, activation, limits } = activated(chosenBranch(tree, formula));
  const whole = chosenBranch(inner, formula);
  /** @type {Account} */
  const account = { products: [], pool: null, added: [], sum: null, activation, limits, used: [] };
  const understood = terms(whole).every((term) => addTerm(account, term, formula));
  if (understood && (account.products.length || account.pool)) {
    const sum = compiler.one(whole)(formula);
    return { ...account, sum: typeof sum === "number" ? sum : null };
  }
  return {
    products: [],
    pool: null,
    added: [],
    sum: null,
    activation: "",
    limits: null,
    used: named.map((area) => area(formula)),
  };
}

/** The part of an IF or CHOOSE that counts now. @param {Tree} tree @param {Formula} formula @returns {Tree} */
function chosenBranch(tree, formula) {
  if (tree.kind !== "call") return tree;
  const { compiler } = formula.pattern;
  const [first, ...rest] = tree.given;
  if (!first || (tree.name !== "IF" && tree.name !== "CHOOSE") || activated(tree).activation) return tree;
  const value = compiler.one(first)(formula);
  const place = tree.name === "IF" ? (toTruth(value) === true ? 0 : 1) : Number(toNumber(value)) - 1;
  const branch = rest[place];
  return branch ? chosenBranch(branch, formula) : tree;
}

/** @typedef {{inner: Tree, activation: string, limits: [number, number] | null}} Activated */

/** What an activation is applied to, and which one it is; an empty name where there is none.
 * @param {Tree} tree @returns {Activated} */
function activated(tree) {
  const is = (/** @type {Tree} */ inner, activation = "") => ({ inner, activation, limits: null });
  if (tree.kind === "operation") return (tree.sign === "/" && quotient(tree)) || is(tree);
  if (tree.kind !== "call") return is(tree);
  const [first, second, third] = tree.given;
  if (tree.name === "TANH" && first) return is(first, "tanh");
  if (tree.name === "IF" && first && second && third && isLeaky(first, second, third)) return is(second, "leaky ReLU");
  return clipped(tree) ?? is(tree);
}

/** MAX(0,x) and MIN(high,MAX(low,x)). @param {Tree} tree @returns {Activated | null} */
function clipped(tree) {
  const [floor, roof] = [bounded(tree, "MAX"), bounded(tree, "MIN")];
  if (floor?.bound === 0) return { inner: floor.inner, activation: "ReLU", limits: [0, Infinity] };
  const within = roof && bounded(roof.inner, "MAX");
  if (!roof || !within) return null;
  const activation = within.bound === 0 && roof.bound === 6 ? "ReLU6" : "Hardtanh";
  return { inner: within.inner, activation, limits: [within.bound, roof.bound] };
}

/** The parts of MAX(number,x) or MIN(number,x). @param {Tree} tree @param {string} name */
function bounded(tree, name) {
  if (tree.kind !== "call" || tree.name !== name || tree.given.length !== 2) return null;
  const [first, inner] = tree.given;
  const bound = first && numberOf(first);
  return bound !== undefined && bound !== null && inner ? { bound, inner } : null;
}

/** Whether IF(x>0,x,slope*x). @param {Tree} test @param {Tree} then @param {Tree} otherwise */
function isLeaky(test, then, otherwise) {
  const same = (/** @type {Tree} */ tree) => JSON.stringify(tree) === JSON.stringify(then);
  const above = test.kind === "operation" && test.sign === ">" && isNumber(test.right, 0) && same(test.left);
  return above && otherwise.kind === "operation" && otherwise.sign === "*" && same(otherwise.right);
}

/** 1/(1+EXP(-MAX(-700,x))) and MIN(6,MAX(0,x+3))/6.
 * @param {{left: Tree, right: Tree}} tree @returns {Activated | null} */
function quotient({ left, right }) {
  if (isNumber(right, 6)) {
    const { inner, activation } = activated(left);
    const moved =
      activation === "ReLU6" && inner.kind === "operation" && inner.sign === "+" && isNumber(inner.right, 3);
    return moved ? { inner: inner.left, activation: "Hardsigmoid", limits: null } : null;
  }
  if (!isNumber(left, 1) || right.kind !== "operation" || right.sign !== "+" || right.right.kind !== "call")
    return null;
  const [power] = right.right.given;
  if (right.right.name !== "EXP" || power?.kind !== "negative") return null;
  return { inner: bounded(power.of, "MAX")?.inner ?? power.of, activation: "sigmoid", limits: null };
}

/** @param {Tree} tree @param {number} value */
function isNumber(tree, value) {
  return numberOf(tree) === value;
}

/** A number that stands in the formula. @param {Tree} tree @returns {number | null} */
function numberOf(tree) {
  if (tree.kind === "value") return typeof tree.value === "number" ? tree.value : null;
  const positive = tree.kind === "negative" ? numberOf(tree.of) : null;
  return positive === null ? null : -positive;
}

/** What is added up. @param {Tree} tree @returns {Tree[]} */
function terms(tree) {
  if (tree.kind === "operation" && tree.sign === "+") return [...terms(tree.left), ...terms(tree.right)];
  if (tree.kind === "call" && tree.name === "SUM" && tree.given.every((part) => part.kind !== "range")) {
    return tree.given.flatMap(terms);
  }
  return [tree];
}

/** Whether a term is understood, and put into the account. @param {Account} account @param {Tree} term
 * @param {Formula} formula */
function addTerm(account, term, formula) {
  const { compiler } = formula.pattern;
  if (term.kind === "cell") return account.added.push(compiler.area(term)(formula)) > 0;
  if (term.kind === "value") return true;
  const [one, two] =
    term.kind === "call" ? term.given : term.kind === "operation" && term.sign === "*" ? partsOf(term) : [];
  if (!one) return false;
  const areas = [one, two].map((part) => (part ? areaOf(part, formula) : null));
  const [window, kernel] = areas;
  if (term.kind === "call" && POOLS[term.name] && window && !two) {
    account.pool = { area: window, name: POOLS[term.name] ?? "" };
    return true;
  }
  const multiplies = term.kind === "operation" || (term.kind === "call" && term.name === "SUMPRODUCT");
  if (!multiplies || !window || !kernel || window.height !== kernel.height || window.width !== kernel.width)
    return false;
  return account.products.push({ window, kernel }) > 0;
}

/** The cells that a part of a formula means. @param {Tree} tree @param {Formula} formula */
function areaOf(tree, formula) {
  if (tree.kind === "value" || tree.kind === "operation") return null;
  const result = formula.pattern.compiler.any(tree)(formula);
  return result instanceof Area ? result : null;
}
