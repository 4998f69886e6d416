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
 * @property {Area[]} used everything else that the formula reads
 */

/** @type {Record<string, string>} */
const POOLS = { MAX: "largest", MIN: "smallest", AVERAGE: "mean" };

/** @param {Formula} formula @returns {Account} */
function accountOf(formula) {
  const { compiler, tree, named } = formula.pattern;
  const { inner, activation } = activated(chosenBranch(tree, formula));
  const whole = chosenBranch(inner, formula);
  /** @type {Account} */
  const account = { products: [], pool: null, added: [], sum: null, activation, used: [] };
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

/** What an activation is applied to, and its name; an empty one where there is none.
 * @param {Tree} tree @returns {{inner: Tree, activation: string}} */
function activated(tree) {
  const none = { inner: tree, activation: "" };
  if (tree.kind === "operation") return (tree.sign === "/" && sigmoid(tree.right)) || none;
  if (tree.kind !== "call") return none;
  const [first, second, third] = tree.given;
  if (!first) return none;
  if (tree.name === "TANH") return { inner: first, activation: "tanh" };
  if (!second) return none;
  if (tree.name === "MAX" && !third && isNumber(first, 0)) return { inner: second, activation: "ReLU" };
  if (tree.name === "MIN" && isNumber(first, 6)) return { ...activated(second), activation: "ReLU6" };
  return tree.name === "IF" && isKink(first, second) ? { inner: second, activation: "leaky ReLU" } : none;
}

/** Whether a condition asks if something is above zero, which then is the result. @param {Tree} test
 * @param {Tree} then */
function isKink(test, then) {
  return test.kind === "operation" && isNumber(test.right, 0) && JSON.stringify(test.left) === JSON.stringify(then);
}

/** The x of 1+EXP(-x). @param {Tree} tree */
function sigmoid(tree) {
  if (tree.kind !== "operation" || tree.sign !== "+" || tree.right.kind !== "call") return null;
  const [power] = tree.right.given;
  return power?.kind === "negative" ? { inner: power.of, activation: "sigmoid" } : null;
}

/** @param {Tree} tree @param {number} value */
function isNumber(tree, value) {
  return tree.kind === "value" && tree.value === value;
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
