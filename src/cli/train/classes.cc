// See classes.h.
#include "src/cli/train/classes.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/cli/common/context_columns.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/input.h"
#include "src/cli/run/spec.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;

// Numbers of the context that a spec asks for; -1 without a field "context".
int64_t context_in(const Json& spec, int64_t classes) {
  if (!spec.is_object() || !spec.contains("context")) return -1;
  const Json& c = spec["context"];
  if (c == "auto") return classes;
  if (c.is_number_integer()) return c.get<int64_t>();
  int64_t product = c.is_array() && !c.empty() ? 1 : 0;
  if (c.is_array())
    for (const Json& extent : c) product *= extent.is_number_integer() ? extent.get<int64_t>() : 0;
  return product;
}

// The base "class_normal" of a spec, as an object; null if it has another.
Json class_base(const Json& spec) {
  if (!spec.is_object() || !spec.contains("base")) return {};
  const Json& base = spec["base"];
  if (base == "class_normal") return Json{{"type", base}};
  return base.is_object() && base.value("type", Json()) == "class_normal" ? base : Json();
}

// The base must have these classes, and read them from what the context holds.
void check_base(const Json& base, int64_t classes, int64_t context) {
  if (base.is_null() || base.value("column", Json(0)) != 0) return;
  const Json has = base.value("classes", Json(2)), reads = base.value("labels", Json("index"));
  if (has != classes)
    throw Failure("the base class_normal has \"classes\": " + has.dump() + ", but the labels have " +
                      number_of_classes(static_cast<size_t>(classes)),
                  text("--set base.classes=%lld, or --classes to leave some out", static_cast<long long>(classes)));
  if (classes > 1 && (reads == "one_hot") != (context > 1))
    throw Failure("the base class_normal has \"labels\": " + reads.dump() + ", but a context of " +
                      counted(context, "number") + " holds " + (context > 1 ? "the class one-hot" : "its index"),
                  text("\"labels\": \"index\" goes with \"context\": 1, and \"one_hot\" with \"context\": %lld",
                       static_cast<long long>(classes)));
}
}  // namespace

void share_labels(TrainArgs& args, const nf::Runtime& runtime) {
  for (DataPaths* p : {&args.valid, &args.test}) {
    p->classes = args.train.classes;
    if (!p->labels.empty() && p->data.empty())
      throw Failure(std::string(p == &args.valid ? "--valid-labels without --valid" : "--test-labels without --test"),
                    {}, kUsage);
  }
  if (args.train.labels.empty()) return;
  const bool column = names_column(args.train.labels, describe_file(runtime, args.train.data, *args.settings));
  for (DataPaths* p : {&args.valid, &args.test})
    if (column && p->labels.empty() && !p->data.empty()) p->labels = args.train.labels;
}

void set_label_context(const TrainArgs& args, TrainPlan& plan, const std::string& typed) {
  const Labels& labels = plan.train.labels;
  if (!labels) return;
  const Json spec = Json::parse(typed, nullptr, /*allow_exceptions=*/false);
  const auto classes = static_cast<int64_t>(labels.classes.size());
  const bool in_vain = !args.train.labels.empty() && args.train.classes.empty();
  if (plan.train.context) {
    if (in_vain)
      throw Failure("--labels and --context-data both give the context of the rows: give one of them",
                    "with --classes, labels only select rows", kUsage);
    return;
  }
  const Json base = class_base(spec);
  int64_t columns = context_in(spec, classes);
  if (columns < 0 && !base.is_null()) columns = base.value("labels", Json("index")) == "one_hot" ? classes : 1;
  if (columns <= 0) {
    if (in_vain)
      throw Failure(
          "--labels would be used for nothing: the spec has no context",
          text("--set context=%lld makes a model of each class, whose context is the class one-hot; --classes "
               "A,B,.. only selects rows",
               static_cast<long long>(classes)));
    return;
  }
  check_base(base, classes, columns);
  for (Data* d : {&plan.train, &plan.valid, &plan.test}) {
    if (!d->x) continue;
    const DataPaths& paths = d == &plan.train ? args.train : d == &plan.valid ? args.valid : args.test;
    if (!d->labels)
      throw Failure(paths.data + " has no labels, but the model's context is the class of a row",
                    d == &plan.valid ? "give --valid-labels FILE" : "give --test-labels FILE", kUsage);
    d->context = context_of(d->labels, columns, spec_dtype(typed));
  }
  plan.classes = labels.classes;
}

std::string classes_words(const TrainPlan& plan) {
  constexpr size_t kShown = 12;
  const Labels& labels = plan.train.labels;
  if (!labels) return {};
  const std::vector<int64_t> counts = labels.counts();
  std::string words = number_of_classes(labels.classes.size());
  if (!plan.classes.empty())
    words += plan.train.context.cols() > 1 ? ", one-hot in the context" : ", as a number in the context";
  for (size_t c = 0; c < std::min(counts.size(), kShown); ++c)
    words += (c ? ", " : ": ") + labels.classes[c] + " (" + grouped(counts[c]) + ")";
  return words + (counts.size() > kShown ? text(" and %zu more", counts.size() - kShown) : std::string());
}

}  // namespace cli
