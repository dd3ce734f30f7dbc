// See split.h.
#include "src/cli/train/split.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "src/cli/common/failure.h"
#include "src/cli/common/output.h"

namespace cli {
namespace {
constexpr double kHoldout = 0.1;
constexpr double kLargeHoldout = 100'000;  // most rows of a mapped file that are held out by default
constexpr int64_t kStreamed = 4096;        // rows per batch to score

// SplitMix64 (Steele, Lea & Flood 2014). Gives the same parts on every machine, which std::shuffle does not guarantee.
uint64_t mixed(uint64_t& state) {
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

Shares shares_of(TrainArgs& args, const TrainPlan& plan) {
  if (!args.split.empty()) {
    if (args.holdout >= 0)
      throw Failure("--split and --holdout both set the validation rows: give one of them", {}, kUsage);
    const Shares s = parse_shares(args.split);
    for (const auto& [share, file, name, flag] : {std::tuple(s.valid, &args.valid.data, "second", "--valid"),
                                                  std::tuple(s.test, &args.test.data, "third", "--test")})
      if (share > 0 && !file->empty())
        throw Failure("--split and " + std::string(flag) + " both set these rows",
                      "set the " + std::string(name) + " share to 0, or drop " + flag, kUsage);
    return s;
  }
  const auto n = static_cast<double>(plan.train.x.count());
  if (args.holdout < 0)
    args.holdout = !args.valid.data.empty() ? 0 : plan.large ? std::min(kHoldout, kLargeHoldout / n) : kHoldout;
  if (!args.valid.data.empty()) return {};
  return {1 - args.holdout, args.holdout, 0};
}

// A shared context of one row stays one.
Rows pick(const Rows& rows, const std::vector<int64_t>& which) {
  const int64_t only[] = {0};
  return !rows ? Rows() : rows.count() == 1 ? rows.pick(only) : rows.pick(which);
}

void split_memory(const TrainArgs& args, const Shares& s, TrainPlan& plan) {
  const int64_t n = plan.train.x.count();
  const auto rows = [&](double share) { return static_cast<int64_t>(std::llround(share * static_cast<double>(n))); };
  const int64_t valid = rows(s.valid), test = rows(s.test);
  const std::string flag = args.split.empty() ? text("--holdout %g", args.holdout) : "--split " + args.split;
  const char* nothing = (s.valid > 0 && valid < 1) ? "validate with"
                        : (s.test > 0 && test < 1) ? "test with"
                        : valid + test >= n        ? "train on"
                                                   : nullptr;
  if (nothing)
    throw Failure(flag + " of " + counted(n, "row") + " leaves nothing to " + nothing,
                  "give --valid FILE, or --holdout 0 to train without validation");
  const auto parts = draw_parts(n, valid, test, plan.split_seed);
  if (test > 0) {
    plan.test.x = pick(plan.train.x, parts[2]);
    plan.test.context = pick(plan.train.context, parts[2]);
  }
  plan.parts.assign(static_cast<size_t>(n), 0);
  for (size_t i = 1; i < 3; ++i)
    for (const int64_t r : parts[i]) plan.parts[static_cast<size_t>(r)] = static_cast<float>(i);
}

// Splits a mapped file by blocks: nf::fit holds validation rows out at the end of the part that a run uses, and the test
// rows are the blocks after it.
void split_blocks(TrainArgs& args, const Shares& s, TrainPlan& plan) {
  Settings& own = *args.settings;
  for (const char* key : {"batches.part_begin", "batches.part_end", "batches.part_seed"}) own.drop(key);
  if (s.test == 0) return;
  const auto part = [&](Settings& to, double begin, double end) {
    to.set("batches.part_begin", plain_number(begin));
    to.set("batches.part_end", plain_number(std::min(end, 1.0)));
    to.set("batches.part_seed", std::to_string(plan.split_seed));
  };
  Settings mine = own;
  part(mine, s.train + s.valid, 1);
  part(own, 0, s.train + s.valid);
  mine.set("batches.order", "sequential");
  mine.drop("batches.flip");
  mine.set("batches.batch", std::to_string(kStreamed));
  std::optional<nf::Batches>& stream = plan.test.stream;
  stream.emplace(plan.runtime, nf::Batch(plan.train.x.view(), plan.train.context.view()), mine.options({"batches"}));
  for (uint64_t k = stream->per_epoch(), at = 0; at < k; at += std::max<uint64_t>(k - 1, 1)) {
    const int64_t rows = stream->at(at).x.rows();  // all batches except the last are as long as the first
    plan.test.streamed += at == 0 && k > 1 ? static_cast<int64_t>(k - 1) * rows : rows;
  }
}
}  // namespace

Shares parse_shares(const std::string& words) {
  std::vector<double> shares;
  double sum = 0;
  const char *at = words.data(), *end = at + words.size();
  for (bool more = true; more;) {
    double value = -1;
    const auto [stop, error] = std::from_chars(at, end, value);
    if (error != std::errc() || !(value >= 0 && value <= 1) || (stop != end && *stop != ',')) {
      shares.clear();
      break;
    }
    shares.push_back(value);
    sum += value;
    more = stop != end;
    at = stop + 1;
  }
  if (shares.size() < 2 || shares.size() > 3)
    throw Failure("--split " + words + ": expected two or three shares, each from 0 to 1",
                  "shares are fractions that add up to 1, not percent: --split 0.8,0.1,0.1 for train, validate, test",
                  kUsage);
  if (std::abs(sum - 1) > 1e-9)
    throw Failure(text("--split %s: the shares add up to %g, not 1", words.c_str(), sum), {}, kUsage);
  if (shares[0] == 0) throw Failure("--split " + words + " leaves nothing to train on", {}, kUsage);
  return {shares[0], shares[1], shares.size() > 2 ? shares[2] : 0};
}

std::array<std::vector<int64_t>, 3> draw_parts(int64_t n, int64_t valid, int64_t test, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) order[static_cast<size_t>(i)] = i;
  for (int64_t i = 0; i < valid + test; ++i) {  // the first steps of a Fisher-Yates shuffle
    const uint64_t left = static_cast<uint64_t>(n - i);
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(i) + mixed(seed) % left]);
  }
  const auto at = order.begin();
  std::array<std::vector<int64_t>, 3> parts{
      {{at + valid + test, order.end()}, {at, at + valid}, {at + valid, at + valid + test}}};
  for (auto& part : parts) std::sort(part.begin(), part.end());
  return parts;
}

void split_rows(TrainArgs& args, TrainPlan& plan) {
  plan.large = plan.train.x.mapped();
  const Shares s = shares_of(args, plan);
  if (plan.large && !args.settings->has("batches.order")) args.settings->set("batches.order", "blocks");
  if (plan.large && !args.settings->has("batches.block"))  // fine enough to split, coarse enough to read in runs
    args.settings->set("batches.block", std::to_string(std::clamp<int64_t>(plan.train.x.count() / 1000, 16, 1024)));
  if (s.valid + s.test == 0) return;
  if (plan.large && !args.split_out.empty())
    throw Failure("--split-out: a mapped file is split by blocks, not by rows",
                  "read the file into memory with --map off");
  plan.held_out = s.valid;
  plan.large ? split_blocks(args, s, plan) : split_memory(args, s, plan);
  if (!args.split_out.empty()) write_parts(plan, args.split_out);
}

void write_parts(const TrainPlan& plan, const std::string& path) {
  const Rows& x = plan.train.x;
  if (!x.has_gaps()) return write_rows(plan.parts, path, {"part"});
  std::vector<double> cells;
  for (int64_t r = 0; r < x.count(); ++r) {
    cells.push_back(static_cast<double>(x.number(r)));
    cells.push_back(plan.parts[static_cast<size_t>(r)]);
  }
  write_rows(nf::View(cells, 2), path, {"row", "part"});
}

}  // namespace cli
