// Every base distribution, trained on rows and by a target.
#include "tests/pins/cases.h"

namespace libnf::test {
namespace {

struct BasePins {
  const char* type;
  const char* fields = "";
  bool parameters = false;  // has the field "parameters": free, context or fixed
  int64_t classes = 0;
  const char* layers = R"({"type": "elementwise_affine"})";
};

const BasePins kBases[] = {
    {"class_normal", R"("classes": 3, "spread": 1)", false, 3},
    {"diagonal_normal", "", true},
    {"full_normal", "", true},
    {"gaussian_mixture", R"("components": 3)", true},
    {"laplace", "", true},
    {"logistic", "", true},
    {"normal"},
    {"student_t", "", true},
    {"uniform", "", false, 0, R"({"type": "elementwise_affine"}, {"type": "sigmoid"})"},
};

}  // namespace

void add_base_cases(std::vector<PinCase>& all) {
  for (const BasePins& b : kBases) {
    const std::string name = std::string("base/") + b.type + "/", fields = b.fields;
    const auto head = [&](const std::string& more_fields, const std::string& more_head = "") {
      std::string s = std::string("\"base\": {\"type\": \"") + b.type + "\"";
      for (const std::string& f : {fields, more_fields})
        if (!f.empty()) s += ", " + f;
      return s + "}" + (more_head.empty() ? "" : ", " + more_head);
    };
    const auto add = [&](const std::string& variant, int64_t d, const std::string& more_fields,
                         const std::string& more_head, OptionList options = {}, const char* target = "") {
      all.push_back({.name = name + variant,
                     .spec = spec_of(d, b.layers, head(more_fields, more_head)),
                     .options = std::move(options),
                     .target = target,
                     .classes = b.classes});
    };
    const std::string label = b.classes ? R"("context": [1])" : "",
                      and64 = label.empty() ? kFloat64 : label + ", " + kFloat64;
    for (const int64_t d : {1, 2, 5}) add("columns_" + std::to_string(d), d, "", label);
    add("float64", 3, "", and64);
    add("recompute", 3, "", label, {{"memory", "recompute"}});
    const OptionList by_target = {{"objective", "reverse_kl"}, {"samples", "20"}};
    add("reverse_kl", 2, "", label, by_target, "banana");
    add("reverse_kl_float64", 3, "", and64, by_target, "funnel");
    if (b.classes) {
      add("one_hot", 2, R"("labels": "one_hot")", R"("context": [3])");
      continue;
    }
    if (!b.parameters) continue;
    add("fixed", 2, R"("parameters": "fixed")", "");
    const std::string net = R"("parameters": "context", "hidden": [7])";
    add("context", 3, net, kContext);
    add("context_columns_1", 1, net, kContext);
    add("context_float64", 2, net, kContext + ", " + kFloat64);
    add("context_reverse_kl", 2, net, kContext, by_target, "banana");
  }
  const std::string dof = R"("base": {"type": "student_t", "dof": 3})";
  all.push_back({.name = "base/student_t/dof", .spec = spec_of(2, R"({"type": "affine"})", dof)});
  const std::string box = R"("base": {"type": "uniform", "low": [-1, 0], "high": [2, 3]})";
  all.push_back({.name = "base/uniform/box", .spec = spec_of(2, R"({"type": "affine"}, {"type": "sigmoid"})", box)});
}

}  // namespace libnf::test
