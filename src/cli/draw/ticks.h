// Ranges of numbers, and round numbers to mark on an axis.
#pragma once
#include <span>
#include <string>
#include <vector>

namespace cli {

struct Range {
  double low = 0, high = 1;
  double grain = 0;  // all values shown are multiples of it; 0 if they are not multiples of anything
  double extent() const { return high - low; }
  bool holds(double v) const { return v >= low && v <= high; }  // false for NaN
};

struct Tick {
  double value;
  std::string label;  // all labels of an axis have the same number of decimals
};

struct Ticks {
  std::vector<Tick> marks;
  std::string factor;  // what the labels leave out: "\u00d710\u00b3" or "+1,600,000,000"; usually ""
};

// Returns at most `most` round numbers in the range, spaced by 1, 2 or 5 times a power of ten, but not closer than the
// grain: an axis of whole numbers has no 0.5. Labels have no more digits than tell them apart.
Ticks ticks(const Range& range, int most);

// Returns the largest power of ten, 1e-6 to 1e6, that all finite values are multiples of; 0 if there is none. Values may
// be rounded to float32.
double grain_of(std::span<const double> values);

// "0.93" rather than "0.93417" for an axis or table with this resolution: a value rounded to the decimals of it.
std::string rounded(double value, double resolution);

}  // namespace cli
