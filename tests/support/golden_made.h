// Maps masked nets of golden vectors (nflows, zuko) to ours: where each of their numbers is stored here. Our units are
// sorted by degree, theirs are in any order; ours may have more units of a degree, whose weights stay zero.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "src/net/made.h"
#include "tests/support/golden.h"

namespace libnf::test {

struct TheirMade {
  std::string kind = "mlp";
  Made::Degrees degrees;          // degrees of their hidden units, by layer, in their order
  std::vector<int32_t> position;  // positions of their columns in the autoregressive order
  std::vector<int32_t> numbers;   // our index of output k of a column
  bool context_last = false;      // the input is [x, context], not [context, x]
};

// Our tensor and, for every number of their tensor, the index in ours, or -1 if masked.
struct Place {
  std::string tensor;
  std::vector<int64_t> at;
};

inline std::string our_made_name(const std::string& theirs, const std::string& kind, int64_t layers) {
  const std::string layer = theirs.substr(0, theirs.rfind('.')), what = theirs.substr(theirs.rfind('.'));
  if (layer == "final_layer" || layer == std::to_string(2 * layers)) return "output" + what;
  if (kind == "mlp") {
    if (layer == "initial_layer") return "hidden.0" + what;
    if (layer.rfind("blocks.", 0) == 0) return "hidden." + std::to_string(std::stoi(layer.substr(7)) + 1) + what;
    return "hidden." + std::to_string(std::stoi(layer) / 2) + what;
  }
  std::string ours = theirs;
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"initial_layer", "input"},
                                 {"linear_layers.", ""},
                                 {"context_layer", "context"}})
    if (const size_t at = ours.find(from); at != std::string::npos) ours.replace(at, from.size(), to);
  return ours;
}

// Returns the smallest width of our evenly spread degrees low ... D - 1 that has room for their units.
inline int64_t width_for(const std::vector<int32_t>& theirs, int64_t event, int64_t low) {
  int64_t most = 0;
  for (const int32_t d : theirs) most = std::max<int64_t>(most, std::count(theirs.begin(), theirs.end(), d));
  return most * (event - low);
}

class MadeImport {
 public:
  MadeImport(const TheirMade& theirs, const Made& made, const std::vector<ParamInfo>& infos)
      : theirs_(theirs), made_(made), infos_(infos) {
    const Made::Degrees& ours = made.hidden_degrees();
    for (size_t l = 0; l < ours.size(); ++l) {
      std::vector<int64_t> map;
      std::vector<bool> taken(ours[l].size());
      for (const int32_t d : theirs.degrees[l]) {
        size_t j = 0;
        while (j < taken.size() && (taken[j] || ours[l][j] != d)) ++j;
        if (j == taken.size()) throw std::runtime_error("no unit of degree " + std::to_string(d) + " is left");
        taken[j] = true;
        map.push_back(static_cast<int64_t>(j));
      }
      hidden_.push_back(map);
    }
  }

  Place place(const std::string& name, const GoldenTensor& tensor) const {
    Place p{our_made_name(name, theirs_.kind, static_cast<int64_t>(hidden_.size())), {}};
    const NetStage& stage = stage_of(p.tensor);
    const std::vector<int64_t> out = outputs(p.tensor);
    if (tensor.shape.size() == 1) {
      p.at = out;
      return p;
    }
    const std::vector<int64_t> in = inputs(p.tensor, stage);
    if (tensor.shape[0] != static_cast<int64_t>(out.size()) || tensor.shape[1] != static_cast<int64_t>(in.size()))
      throw std::runtime_error(name + " has another shape than " + p.tensor);
    for (const int64_t o : out)
      for (const int64_t i : in) p.at.push_back(stage.mask.index(i, o));
    return p;
  }

 private:
  const NetStage& stage_of(const std::string& tensor) const {
    for (const NetStage& s : made_.net().stages)
      for (const int32_t place : {s.weight, s.bias})
        if (place >= 0 && infos_[static_cast<size_t>(made_.param(place))].name == tensor) return s;
    throw std::runtime_error("no tensor " + tensor);
  }
  size_t layer_of(const std::string& tensor) const {
    return tensor.rfind("hidden.", 0) == 0 ? static_cast<size_t>(std::stoi(tensor.substr(7))) : 0;
  }
  std::vector<int64_t> outputs(const std::string& tensor) const {
    if (tensor.rfind("output", 0) != 0) return hidden_[layer_of(tensor)];
    std::vector<int64_t> map;
    for (const int32_t p : theirs_.position)
      for (const int32_t k : theirs_.numbers) map.push_back(p * static_cast<int64_t>(theirs_.numbers.size()) + k);
    return map;
  }
  std::vector<int64_t> inputs(const std::string& tensor, const NetStage& stage) const {
    if (tensor.rfind("output", 0) == 0) return hidden_.back();
    if (stage.in > 0) return hidden_[tensor.rfind("hidden.", 0) == 0 ? layer_of(tensor) - 1 : 0];
    const int64_t context = stage.mask.rows() == made_.net().features ? 0 : made_.net().context;
    std::vector<int64_t> c, x;
    for (int64_t k = 0; k < context; ++k) c.push_back(k);
    if (stage.mask.rows() != context || context == 0)
      for (const int32_t p : theirs_.position) x.push_back(context + p);
    c.insert(theirs_.context_last ? c.begin() : c.end(), x.begin(), x.end());
    return c;
  }

  const TheirMade& theirs_;
  const Made& made_;
  const std::vector<ParamInfo>& infos_;
  std::vector<std::vector<int64_t>> hidden_;
};

}  // namespace libnf::test
