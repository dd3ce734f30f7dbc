// See progress.h.
#include "src/cli/run/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace cli {
namespace {
using Clock = std::chrono::steady_clock;
constexpr double kKeep = 0.98;  // decay of the smoothed loss: averages about the last 50 steps
constexpr auto kEvery = std::chrono::milliseconds(100);

std::string bar(const Screen& screen, double part, size_t width) {
  const auto full = static_cast<size_t>(part * static_cast<double>(width));
  std::string out;
  for (size_t i = 0; i < width; ++i) out += screen.unicode() ? (i < full ? "━" : "─") : (i < full ? "=" : "-");
  return out;
}

std::string short_count(double n) {
  if (n >= 1e6) return text("%.1fM", n / 1e6);
  return n >= 1e4 ? text("%.0fk", n / 1e3) : text("%.0f", n);
}
}  // namespace

Progress::Progress(const Screen& screen, bool quiet, uint64_t first_step, uint64_t steps)
    : screen_(screen),
      quiet_(quiet),
      first_(first_step),
      steps_(steps),
      start_(Clock::now()),
      drawn_(start_),
      step_(first_step) {}

double Progress::seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

double Progress::rows_per_second() const { return static_cast<double>(rows_) / std::max(seconds(), 1e-9); }

void Progress::step(uint64_t step, double loss, int64_t rows) {
  step_ = step;
  rows_ += rows;
  smooth_ = kKeep * smooth_ + (1 - kKeep) * loss;
  weight_ = kKeep * weight_ + (1 - kKeep);
  if (screen_.terminal() && !quiet_ && Clock::now() - drawn_ >= kEvery) draw();
}

void Progress::draw() {
  drawn_ = Clock::now();
  const double part = static_cast<double>(step_) / static_cast<double>(std::max<uint64_t>(steps_, 1));
  const double per_step = seconds() / static_cast<double>(std::max<uint64_t>(step_ - first_, 1));
  std::string facts = text(" %s/%s  loss %.4f", grouped(static_cast<int64_t>(step_)).c_str(),
                           grouped(static_cast<int64_t>(steps_)).c_str(), smooth_ / std::max(weight_, 1e-300));
  if (!annotation_.empty()) facts += "  " + annotation_;
  if (validated_) facts += text("  valid %.4f", valid_);
  facts += "  " + short_count(rows_per_second()) + " rows/s  " +
           duration(per_step * static_cast<double>(steps_ - std::min(step_, steps_))) + " left";
  const size_t width = screen_.width();
  const size_t room = width > facts.size() + 1 ? width - facts.size() - 1 : 0;
  std::string line = room >= 8 ? screen_.good(bar(screen_, part, std::min<size_t>(room, 30))) : std::string();
  line += facts.substr(0, width - 1);
  std::printf("\r\033[2K%s", line.c_str());
  std::fflush(stdout);
  shown_ = true;
}

void Progress::clear() {
  if (!shown_) return;
  std::printf("\r\033[2K");
  std::fflush(stdout);
  shown_ = false;
}

void Progress::note(const std::string& line) {
  clear();
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void Progress::line(const CurvePoint& p, const std::string& facts) {
  note(text("step %llu/%llu  ", static_cast<unsigned long long>(p.step), static_cast<unsigned long long>(steps_)) +
       facts + (annotation_.empty() ? "" : "  " + annotation_) +
       text("  lr %.3g  %s rows/s  %s", p.lr, short_count(rows_per_second()).c_str(), duration(p.seconds).c_str()));
}

void Progress::validation(const CurvePoint& p, bool best) {
  const bool some_bad = p.bad_rows > 0;
  const double shown = some_bad ? p.rest : p.valid;
  validated_ = std::isfinite(shown);
  valid_ = shown;
  if (quiet_) return;
  if (screen_.terminal()) return draw();
  if (!headed_) note("mean log-likelihood in nats per row, higher is better; * = best so far, saved");
  headed_ = true;
  std::string valid = text("%.4f", shown);
  if (some_bad) valid += " (" + grouped(p.bad_rows) + (p.bad_rows == 1 ? " row" : " rows") + " at -inf)";
  const bool star = best && valid != starred_;  // an improvement that the printed digits do not show has no star
  if (star) starred_ = valid;
  line(p,
       text("train %.4f", p.train) + (std::isnan(p.valid) ? std::string() : "  valid " + valid + (star ? " *" : "")));
}

void Progress::loss(const CurvePoint& p) {
  if (quiet_) return;
  screen_.terminal() ? draw() : line(p, text("loss %.4f", -p.train));
}

}  // namespace cli
