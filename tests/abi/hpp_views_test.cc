// nf.hpp: views of every rank and stride, which cannot be made from temporaries. C++20; hpp_results_test.cc is C++17.
#include <array>
#include <nf/nf.hpp>
#include <span>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

// A matrix of a user, in column-major order.
struct Columns {
  std::vector<float> v;
  int64_t n;
  float* data() { return v.data(); }
  const float* data() const { return v.data(); }
  size_t size() const { return v.size(); }
  int64_t rows() const { return n; }
  int64_t cols() const { return static_cast<int64_t>(v.size()) / n; }
};
// The same without an Adapt.
struct Unknown : Columns {};

}  // namespace
}  // namespace abi_test

template <>
struct nf::Adapt<abi_test::Columns> {
  template <class M>
  static auto strided(M& m) {
    return nf::Strided<std::remove_pointer_t<decltype(m.data())>>{m.data(), 2, {m.rows(), m.cols()}, {1, m.rows()}};
  }
};

namespace abi_test {
namespace {

using Floats = std::vector<float>;
static_assert(std::is_constructible_v<nf::View, Floats&, int> && std::is_constructible_v<nf::View, const Floats&, int>);
static_assert(!std::is_constructible_v<nf::View, Floats> && !std::is_constructible_v<nf::View, Floats, int>);
static_assert(!std::is_constructible_v<nf::View, const Floats> && !std::is_convertible_v<Floats, nf::View>);
static_assert(!std::is_constructible_v<nf::View, std::array<double, 4>> && !std::is_constructible_v<nf::Out, Floats>);
static_assert(std::is_constructible_v<nf::View, std::span<const float>> &&
              std::is_constructible_v<nf::Out, std::span<float>>);
static_assert(!std::is_constructible_v<nf::Out, std::span<const float>> &&
              !std::is_constructible_v<nf::Out, const Floats&>);
static_assert(!std::is_constructible_v<nf::Out, const float*, int64_t>);
static_assert(std::is_constructible_v<nf::View, std::vector<uint8_t>&> &&
              std::is_constructible_v<nf::View, const uint8_t*, std::initializer_list<int64_t>>);
static_assert(!std::is_constructible_v<nf::Out, std::vector<uint8_t>&> &&
              !std::is_constructible_v<nf::Out, uint8_t*, int64_t>);
static_assert(!std::is_constructible_v<nf::View, std::vector<int>&> &&
              !std::is_constructible_v<nf::View, std::string&>);

static_assert(std::is_constructible_v<nf::View, Columns&> && std::is_constructible_v<nf::Out, Columns&>);
static_assert(std::is_constructible_v<nf::View, const Columns&> && !std::is_constructible_v<nf::Out, const Columns&>);
static_assert(!std::is_constructible_v<nf::View, Columns> && !std::is_constructible_v<nf::View, Columns&, int>);
static_assert(!std::is_constructible_v<nf::View, Unknown&> && !std::is_constructible_v<nf::View, Unknown&, int>,
              "data() and size() of a matrix do not say in which order it is");

TEST(HppViews, Shapes) {
  Floats v = {1, 2, 3, 4, 5, 6};
  float raw[6] = {1, 2, 3, 4, 5, 6};
  const std::array<double, 2> pair = {1, 2};
  EXPECT_TRUE(nf::View().none());
  EXPECT_EQ(nf::View().raw(), nullptr);
  EXPECT_EQ(nf::View().size(), 0);
  EXPECT_EQ(nf::View(v).rank(), 1);
  EXPECT_EQ(nf::View(pair).dtype(), NF_F64);
  EXPECT_EQ(nf::View(raw).size(), 6);
  EXPECT_EQ(nf::View(raw, 4).size(), 4) << "a pointer and a count";
  EXPECT_EQ(nf::View(std::span<const float>(v).subspan(2), 2).data<float>(), v.data() + 2);
  const nf::View deep(v.data(), {1, 1, 1, 2, 1, 1, 3, 1});
  EXPECT_EQ(deep.rank(), 8);
  EXPECT_EQ(deep.extent(6), 3);
  EXPECT_EQ(deep.stride(3), 3);
  EXPECT_TRUE(deep.contiguous());
  EXPECT_THROW(nf::View(v.data(), {1, 1, 1, 1, 1, 1, 1, 1, 1}), nf::Exception);
  try {
    nf::View(v, 4);
    ADD_FAILURE() << "6 numbers as rows of 4";
  } catch (const nf::Exception& e) {
    EXPECT_EQ(e.status(), NF_ERR_SHAPE);
    EXPECT_STREQ(e.what(), "nf::View: 6 numbers are not rows of 4 columns");
  }
  EXPECT_THROW(nf::View(v, 0), nf::Exception);
  nf::Out out(v, 3);
  out.slice(1, 1).data<float>()[2] = 60;
  EXPECT_EQ(v[5], 60);
}

TEST(HppViews, StridesPassThrough) {
  const Floats v = {1, 4, 2, 5, 3, 6};
  const nf::View t(v.data(), {2, 3}, {1, 2});
  EXPECT_FALSE(t.contiguous());
  EXPECT_EQ(t.to_vector<double>(), (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(t.slice(1, 1).to_vector<float>(), (Floats{4, 5, 6}));
  const nf::View again(*t.raw());
  EXPECT_EQ(again.to_vector<float>(), t.to_vector<float>());
  const nf::View every_other(v.data(), {3}, {2});
  EXPECT_EQ(every_other.as_rows(3).to_vector<float>(), (Floats{1, 2, 3}));
  EXPECT_EQ(every_other.as_rows(2).rank(), 1) << "3 numbers are not rows of 2";
  EXPECT_THROW(nf::View(v.data(), {2, 3}, {1}), nf::Exception);

  nf::Model m(R"({"event": 3, "layers": [{"type": "reverse"}]})", 1);
  nf::Session s(m);
  EXPECT_TRUE(same_bits(s.forward(t), {3, 2, 1, 6, 5, 4}));
  Floats columns(6);
  s.forward_into(nf::Out(columns.data(), {2, 3}, {1, 2}), {}, t);
  EXPECT_TRUE(same_bits(columns, {3, 6, 2, 5, 1, 4}));
}

TEST(HppViews, MatricesOfTheUser) {
  const Columns rows{{1, 4, 2, 5, 3, 6}, 2};
  EXPECT_EQ(nf::View(rows).to_vector<float>(), (Floats{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(nf::View(rows).data<float>(), rows.v.data()) << "copied";
  nf::Model m(R"({"event": 3, "layers": [{"type": "reverse"}]})", 1);
  Columns z{Floats(6), 2};
  nf::Session(m).forward_into(z, {}, rows);
  EXPECT_TRUE(same_bits(z.v, {3, 6, 2, 5, 1, 4}));
}

TEST(HppViews, BytesAreRead) {
  const std::vector<uint8_t> pixels = {1, 2, 3, 255, 5, 6};
  const nf::View v(pixels, 3);
  EXPECT_EQ(v.dtype(), NF_U8);
  EXPECT_EQ(v.at(1, 0), 255);
  EXPECT_EQ(v.slice(1, 1).to_vector<float>(), (Floats{255, 5, 6}));
  EXPECT_EQ(v.data<uint8_t>(), pixels.data());
  EXPECT_THROW(v.data<float>(), nf::Exception);
  EXPECT_EQ(nf::View(pixels.data(), {1, 2, 3, 1}).rank(), 4);
  const nf::View every_other(pixels.data(), {2, 3}, {1, 2});
  nf::Model m(R"({"event": 3, "layers": [{"type": "reverse"}]})", 1);
  nf::Session s(m);
  EXPECT_TRUE(same_bits(s.forward(v), {3, 2, 1, 6, 5, 255}));
  EXPECT_TRUE(same_bits(s.forward(every_other), {5, 3, 1, 6, 255, 2}));
}

TEST(HppViews, Batches) {
  const Floats v = {1, 2, 3, 4}, w = {1, 2};
  nf::Batch b(nf::View(v, 2));
  EXPECT_FALSE(b.none());
  EXPECT_TRUE(nf::Batch().none());
  b.weight = w;
  const nf_batch raw = b.raw();
  EXPECT_EQ(raw.x->data, v.data());
  EXPECT_EQ(raw.ctx, nullptr);
  EXPECT_EQ(raw.weight->ndim, 1);
}

}  // namespace
}  // namespace abi_test
