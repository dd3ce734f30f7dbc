#include "src/model/describe.h"

#include "src/io/json.h"
#include "src/model/flow_model.h"
#include "src/model/vae_model.h"

namespace libnf {
namespace {

Json extents(const Dims& d) { return Json::Array(d.d, d.d + d.rank); }

}  // namespace

std::string describe_model(const Density& model) {
  Json layers = Json::Array(), scales = Json::Array();
  for (const LayerInstance& l : model.layers())
    layers.append({{"name", l.name},
                   {"where", l.where},
                   {"type", l.kind->name},
                   {"inverted", l.inverted},
                   {"event", extents(l.in)},
                   {"latent", extents(l.out)},
                   {"columns", l.columns},
                   {"per_pixel", l.per_pixel}});
  if (const FlowModel* flow = model.flow())
    for (const Scale& s : flow->chain().scales())
      scales.append(
          {{"where", s.where}, {"first_column", s.first}, {"columns", s.event.count()}, {"event", extents(s.event)}});
  Json all{{"kind", model.spec().kind->name},
           {"event", extents(model.event())},
           {"latent", extents(model.latent())},
           {"context", Json::Array{model.context()}},
           {"dtype", name_of(model.dtype())},
           {"log_prob", model.exact() ? "exact" : "bound"},
           {"layers", layers},
           {"scales", scales}};
  if (const VaeModel* vae = model.vae())
    all["posterior_layers"] = static_cast<int64_t>(vae->posterior().layers().size());
  return all.dump();
}

}  // namespace libnf
