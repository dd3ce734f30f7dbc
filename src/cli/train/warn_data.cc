// See warn_data.h.
#include "src/cli/train/warn_data.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "src/cli/common/description.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/input.h"
#include "src/cli/common/text.h"
#include "src/cli/run/spec.h"
#include "src/cli/train/dequantize.h"
#include "src/cli/train/redundant.h"

namespace cli {
namespace {
std::string name_of(const Rows& rows, size_t c) {
  return rows.names().empty() || rows.names()[c].empty() ? std::to_string(c) : rows.names()[c];
}

// A name as --columns takes it.
std::string column_word(const std::string& name) {
  if (!name.empty() && name.find_first_of(",\" ") == std::string::npos &&
      name.find_first_not_of("0123456789") != std::string::npos)
    return name;
  std::string out = "\"";
  for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

// The column as --columns takes it.
std::string word_of(const Rows& rows, size_t c) {
  return rows.names().empty() || rows.names()[c].empty() ? std::to_string(c) : column_word(rows.names()[c]);
}

std::string some_of(std::vector<std::string> words) {
  const size_t more = words.size() > 8 ? words.size() - 8 : 0;
  words.resize(words.size() - more);
  return join(words, ", ") + (more ? text(" and %zu more", more) : std::string());
}

// Warns of columns that look like an index of the rows.
void warn_of_indices(const Rows& rows, const std::vector<ColumnKind>& kinds) {
  std::vector<std::string> found, others;
  for (size_t c = 0; c < kinds.size(); ++c) {
    const std::string name = rows.names().empty() ? std::string() : rows.names()[c];
    const bool unnamed = !rows.names().empty() && (name.empty() || name.starts_with("Unnamed:"));
    if (unnamed || kinds[c].counts)
      found.push_back(text("column %zu", c) + (name.empty() ? " without a name" : " (" + name + ")"));
    else
      others.push_back(word_of(rows, c));
  }
  if (found.empty() || others.empty()) return;
  const bool many = others.size() > 12;
  std::fprintf(stderr, "nf: warning: %s of %s %s like an index of the rows: leave %s out with %s\n",
               join(found, ", ").c_str(), rows.path().c_str(), found.size() == 1 ? "looks" : "look",
               found.size() == 1 ? "it" : "them",
               many ? "--columns" : ("--columns " + shell_word(join(others, ","))).c_str());
}

// The likelihood of an autoencoder, "" of a flow.
std::string likelihood_of(const nf::Model& model) {
  const auto spec = nlohmann::json::parse(model.spec());
  return spec.contains("likelihood") ? spec["likelihood"].value("type", "") : std::string();
}

// Warns of numbers that repeat, on which a density can rise without bound. Probabilities of levels and counts cannot.
void warn_of_repeats(const Rows& rows, const std::vector<ColumnKind>& kinds, const nf::Model& model) {
  const std::string likelihood = likelihood_of(model);
  if (!likelihood.empty() && likelihood != "gaussian" && likelihood != "laplace") return;
  const std::vector<bool> done = dequantized_columns(model.spec(), kinds.size());
  std::vector<std::string> found, fix;
  for (size_t c = 0; c < kinds.size(); ++c) {
    const ColumnKind& k = kinds[c];
    if (!k.repeats || k.counts || done[c]) continue;
    found.push_back(name_of(rows, c) + " (" + grouped(k.distinct) + " different " +
                    (k.whole ? "whole numbers" : "values") + ")");
    if (k.step > 0) fix.push_back(word_of(rows, c));
  }
  if (found.empty()) return;
  const std::string list = fix.size() > 8 ? "auto" : join(fix, ",");
  const std::string spread = !likelihood.empty() ? "the likelihoods bernoulli, discretized_logistic, categorical and "
                                                   "negative_binomial are for such numbers, "
                             : fix.empty() || is_dequantized(model.spec())
                                 ? std::string()
                                 : "--dequantize " + shell_word(list) + " spreads them over their steps, ";
  std::fprintf(stderr,
               "nf: warning: column%s %s: numbers that repeat have a density without bound, so their log-likelihood "
               "means little; %s--columns leaves them out\n",
               found.size() == 1 ? "" : "s", some_of(found).c_str(), spread.c_str());
}

// Warns of numbers that seem to stand for missing ones.
void warn_of_codes(const Rows& rows, const std::vector<ColumnKind>& kinds) {
  for (size_t c = 0; c < kinds.size(); ++c) {
    const ColumnKind& k = kinds[c];
    if (k.coded == 0) continue;
    const std::string value = plain_number(k.code), name = name_of(rows, c);
    std::fprintf(stderr,
                 "nf: warning: column %s is %s in %s, far from its other values: if that stands for a missing value, "
                 "leave such rows out with --where %s\n",
                 name.c_str(), value.c_str(), counted(k.coded, "row").c_str(),
                 shell_word(word_of(rows, c) + " != " + value).c_str());
  }
}

// Warns of columns that are linear functions of others.
void warn_of_redundant(const Rows& rows) {
  constexpr size_t kShown = 3;
  const std::vector<Redundant> found = redundant_columns(rows);
  std::vector<std::string> words;
  for (const Redundant& r : found) {
    if (words.size() == kShown) break;
    std::vector<std::string> of;
    for (const int64_t c : r.of) of.push_back(name_of(rows, static_cast<size_t>(c)));
    words.push_back("column " + name_of(rows, static_cast<size_t>(r.column)) + " is a linear function of " +
                    (of.empty() ? "those before it" : join(of, ", ")));
  }
  if (found.empty()) return;
  const std::string more =
      found.size() > kShown ? text("; and so are %zu more columns", found.size() - kShown) : std::string();
  std::fprintf(stderr,
               "nf: warning: %s%s: such rows lie on a plane, where a density has no bound, and their log-likelihood "
               "means little; --columns leaves columns out\n",
               join(words, "; ").c_str(), more.c_str());
}

void warn_of_few(const Rows& rows) {
  constexpr int64_t kFew = 20;
  if (rows.count() >= std::max(kFew, 2 * rows.cols())) return;
  std::fprintf(
      stderr, "nf: warning: %s %s few for %s: the model will know these rows better than where they come from\n",
      counted(rows.count(), "row").c_str(), rows.count() == 1 ? "is" : "are", counted(rows.cols(), "column").c_str());
}
}  // namespace

void check_names(const Data& data, const std::string& path) {
  std::map<std::string, std::string> seen;
  const auto check = [&](const Rows& rows, const char* kind) {
    for (size_t c = 0; c < rows.names().size(); ++c) {
      const std::string place = text("%s column %zu", kind, c);
      const auto [at, is_new] = seen.try_emplace(rows.names()[c], place);
      if (!is_new && !rows.names()[c].empty())
        throw Failure(
            shown_path(path) + " has two columns named '" + rows.names()[c] + "': " + at->second + " and " + place,
            "rename one of them: a model finds its columns by name");
    }
  };
  check(data.x, "data");
  check(data.context, "context");
}

void examine_columns(const Rows& rows, const std::vector<ColumnKind>& kinds, nf::Model& model, bool quiet) {
  set_column_kinds(model, kinds);
  if (quiet || rows.extents().size() > 1) return;  // pixels: see scale.cc
  warn_of_few(rows);
  warn_of_indices(rows, kinds);
  warn_of_codes(rows, kinds);
  if (is_smoothed(model)) return;  // noise bounds the density
  warn_of_repeats(rows, kinds, model);
  warn_of_redundant(rows);
}

}  // namespace cli
