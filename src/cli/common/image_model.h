// Models of images, events [height, width, channels]: what their numbers mean.
#pragma once
#include <nf/nf.hpp>
#include <optional>
#include <span>
#include <string>

namespace cli {

// Returns -nats / (D log 2), for a mean log-likelihood of images of D numbers, if the model is one of their levels: every
// number passes a dequantization first, so that log_prob is the logarithm of a probability and does not depend on the unit
// of the data. Otherwise there is none. With merged levels the probability is that of the levels that are left.
std::optional<double> bits_per_dim(const nf::Model& model, double nats);

// "1.0832 bits/dim (S = 8 draws of the noise per image)": the bound that S draws give gets tighter with S, so the two
// belong together. "" for a model without.
std::string bits_words(const nf::Model& model, double nats, int64_t draws);

// The smallest and the largest value of a pixel: of the first and the last level if the model has a number of levels,
// otherwise 0 and 1 if nearly all of the `shown` values are between them, otherwise what nearly all of them are between.
struct PixelRange {
  double low, high;
};
PixelRange pixel_range(const nf::Model& model, std::span<const double> shown);

}  // namespace cli
