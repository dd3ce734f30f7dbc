// Warnings about a model before it is trained, and advice when training fails.
#pragma once
#include <nf/nf.hpp>
#include <string>

namespace cli {

// Warns on standard error if there is nothing to train, if an iterative inverse may stop before its tolerance, and if a
// layer treats columns as circles but the base does not, or --standardize moves them.
void warn_of_model(const nf::Model& model);

// Whether the base is a box, with density 0 outside; then the data is expected at the scale of the box.
bool base_is_box(const nf::Model& model);

// Returns advice about rows without a finite density; `message` says where they occurred.
inline constexpr char kAtBase[] = "the base density";
std::string nonfinite_advice(const nf::Model& model, const std::string& message);

}  // namespace cli
