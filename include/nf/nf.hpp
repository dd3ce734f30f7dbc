// nf.hpp - header-only C++17 and C++20 layer over nf.h, nf_infer.h and nf_data.h.
//
// Nine programs in ten need nf::Flow:
//
//   #include <nf/nf.hpp>
//
//   nf::Flow flow(R"({"event": [2], "layers": [{"repeat": 4, "layers": [{"type": "affine_coupling"},
//                                                                       {"type": "reverse"}]}]})");
//   flow.fit(rows);                                        // std::vector<float> of n rows of 2 numbers
//   std::vector<float> ll = flow.log_prob(rows);           // log-density of every row
//   std::vector<float> drawn = flow.sample(100, /*seed=*/7);
//   flow.save("flow.safetensors");
//   nf::Flow same = nf::Flow::load("flow.safetensors");
//
// The others have a class for each handle of nf.h:
//
//   nf::Runtime rt({{"runtime.threads", 2}});              // optional: handles without one have their own
//   nf::Model model(rt, spec, /*seed=*/1);
//   nf::Trainer trainer(model, {{"trainer.lr", 1e-3}});
//   for (uint64_t k = 0; k < 1000; ++k) trainer.step(nf::View(batch, 2));
//   nf::Session session(model);
//   session.log_prob_grad(nf::View(test, 2)).dx;
//
// Numbers. A View borrows what a call reads and an Out what it writes: pointers, vectors, arrays and spans of float or
// double, of any shape and strides. Neither can be made from a temporary container: `View v(make_rows(), 2)` does not
// compile. A default-constructed one is none, "not given". <nf/eigen.hpp> and <nf/mdspan.hpp> add the matrices of Eigen and
// mdspans; nf::Adapt is how your own matrices become Views. Members that return vectors take the type of their numbers as
// a template argument, float unless it is given: session.log_prob<double>(x).
//
// Errors. A call that fails throws nf::Exception, which has the status of nf.h, the row and layer at fault, and the library's
// message. A program without exceptions (-fno-exceptions), or one that defines NF_NO_EXCEPTIONS before including this
// header, has the same members, and those that can fail return an nf::Result<T> instead:
//
//   nf::Result<nf::Model> model = nf::Model::load("flow.safetensors");    // create() instead of constructors
//   if (!model) return std::puts(model.error().message()), 1;
//   nf::Result<nf::Session> session = nf::Session::create(*model);
//
// Options and views cannot return a Result where they are made. If they are wrong, the call that is given them fails. Files
// of both kinds may be linked into one program. Running out of memory in a std::vector is not covered, and callbacks must
// not throw.
//
// Callbacks are std::functions. With exceptions, what they throw propagates out of the call that ran them.
//
// Handles are move-only and may be destroyed in any order. Thread classes are those of nf.h. get() gives the handle, for
// calling nf.h directly; an object built from a handle owns it.
#ifndef NF_HPP_
#define NF_HPP_
#include <nf/hpp/data.hpp>
#include <nf/hpp/error.hpp>
#include <nf/hpp/flow.hpp>
#include <nf/hpp/model.hpp>
#include <nf/hpp/options.hpp>
#include <nf/hpp/samples.hpp>
#include <nf/hpp/session.hpp>
#include <nf/hpp/target.hpp>
#include <nf/hpp/trainer.hpp>
#include <nf/hpp/view.hpp>
#endif  // NF_HPP_
