#include <algorithm>
#include <cmath>
#include <limits>

#include "src/lane/batch.h"
#include "src/model/rows.h"
#include "src/train/fit.h"

namespace libnf {
namespace {

// SplitMix64 (Steele, Lea & Flood 2014).
uint64_t mixed(uint64_t& state) {
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

FitSplit split_blocks(const FitPlan& plan, double holdout) {
  const int64_t n = plan.data.x.shape[0];
  Part train = plan.batches.part, valid = train;
  train.end -= holdout;
  FitSplit split{Selection(n, train), {}};
  if (holdout > 0) {
    valid.begin = train.end;
    split.valid = Selection(n, valid);
  }
  return split;
}

// Rows that have weight.
std::vector<int64_t> weighted_rows(const Batches::Streams& data) {
  Batch batch;
  batch.x = data.x;
  batch.weight = data.weight;
  double sums[2];
  check_weights(batch, sums);
  if (!(sums[0] > 0)) fail(Code::argument, "all %lld weights are zero", static_cast<long long>(batch.rows()));
  std::vector<int64_t> rows;
  rows.reserve(static_cast<size_t>(sums[1]));
  for (int64_t r = 0; r < batch.rows(); ++r)
    if (!data.weight.data || scalar_at(data.weight, r) > 0) rows.push_back(r);
  return rows;
}

FitSplit split_by_part(const FitPlan& plan) {
  std::vector<int64_t> train, valid;
  for (const int64_t r : weighted_rows(plan.data)) {
    const double part = scalar_at(plan.part, r);
    if (part == 0) train.push_back(r);
    if (part == 1) valid.push_back(r);
  }
  if (train.empty()) fail(Code::shape, "data.part leaves no row of weight above 0 to train on: part 0 is empty");
  FitSplit split{Selection(std::move(train)), {}};
  if (!valid.empty()) split.valid = Selection(std::move(valid));
  return split;
}

}  // namespace

void FitConfig::fields(Fields& f) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  f.integer("steps", "steps of the run, one batch each; 0 = by epochs, or 4000", steps, 0, kMax);
  f.real("epochs", "passes over the training rows, if steps is 0", epochs, 0, 1e9);
  f.real("holdout", "share of the rows to validate with, when no validation rows are given; 0 = no validation", holdout,
         0, 0.9);
  f.integer("split_seed", "which rows are held out", split_seed, 0, kMax);
  f.integer("patience", "validations without improvement that end the run; 0 = never", patience, 0, kMax);
  f.integer("valid_every", "steps between validations; 0 = one epoch, but 16 to 64 validations in a run", valid_every,
            0, kMax);
  f.text("checkpoint", "file that the state of the run is saved in after every validation, and when it stops",
         checkpoint, 1 << 20);
  f.flag("resume", "continue from the checkpoint, if there is one", resume);
  f.text("resume_from", "file to continue from, if it is not the checkpoint", resume_from, 1 << 20);
  f.flag("new_settings", "when resuming, the options of the trainer may differ from those of the first part",
         new_settings);
  f.flag("keep_best", "also keep the checkpoint of the best validation, as CHECKPOINT.best", keep_best);
  f.flag("announce", "call the callback once before the first step, when the length of the run is known", announce);
  f.flag("restore_best", "leave the weights of the best validation in the model, instead of the last ones",
         restore_best);
}

FitSplit split_rows(const FitPlan& plan) {
  const double holdout = plan.valid.x.data ? 0 : plan.config.holdout;
  if (plan.part.data) return split_by_part(plan);
  if (plan.by_blocks) return split_blocks(plan, holdout);
  const int64_t n = plan.data.x.shape[0];
  if (holdout == 0 && !plan.data.weight.data) return {Selection(n), {}};
  std::vector<int64_t> rows = weighted_rows(plan.data);
  const auto count = static_cast<int64_t>(rows.size());
  if (holdout == 0) return {count == n ? Selection(n) : Selection(std::move(rows)), {}};
  if (count < 2)
    fail(Code::shape,
         "x has %lld row%s of weight above 0, too few to train on some and validate with others: give validation rows, "
         "or "
         "set \"fit.holdout\" to 0",
         static_cast<long long>(count), count == 1 ? "" : "s");
  const int64_t valid = std::clamp<int64_t>(std::llround(holdout * static_cast<double>(count)), 1, count - 1);
  auto seed = static_cast<uint64_t>(plan.config.split_seed);
  for (int64_t i = 0; i < valid; ++i) {  // the first steps of a Fisher-Yates shuffle
    const auto left = static_cast<uint64_t>(count - i), at = static_cast<uint64_t>(i);
    std::swap(rows[at], rows[at + mixed(seed) % left]);
  }
  const auto cut = rows.begin() + valid;
  std::vector<int64_t> held(rows.begin(), cut), rest(cut, rows.end());
  std::sort(held.begin(), held.end());
  std::sort(rest.begin(), rest.end());
  return {Selection(std::move(rest)), Selection(std::move(held))};
}

}  // namespace libnf
