// The page's modules are classic scripts that see each other's names: tsc knows these, so `no-undef` is its business.
export default [
  {
    files: ["**/conv_sheet/web/*.js"],
    languageOptions: { sourceType: "script", ecmaVersion: 2023 },
    rules: {
      complexity: ["error", 20],
      eqeqeq: "error",
      "max-len": ["error", { code: 120, ignoreRegExpLiterals: true }],
      "max-lines": ["error", 300],
      "max-lines-per-function": ["error", 45],
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-shadow": "error",
      "no-var": "error",
      "prefer-const": "error",
    },
  },
  {
    files: ["**/tests/web/*.js", "**/benchmarks/*.js"],
    languageOptions: { sourceType: "commonjs", ecmaVersion: 2023 },
    rules: { eqeqeq: "error", "max-len": ["error", { code: 120 }], "no-var": "error", "prefer-const": "error" },
  },
];
