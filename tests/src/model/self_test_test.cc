// Self-tests of model files below the ABI: numbers survive exactly, in any locale; differences beyond the tolerance are
// found and named; damaged texts are refused before they cost memory.
#include "src/model/self_test.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <limits>

#include "nf/nf.h"
#include "src/io/byte_sink.h"
#include "src/io/hex_float.h"
#include "src/io/json.h"
#include "src/model/flow_model.h"
#include "src/model/model_file.h"
#include "tests/support/expect_error.h"

namespace libnf::test {
namespace {

constexpr char kSpec[] = R"({"event": 2, "context": 1, "layers": [{"type": "affine_coupling", "hidden": [8]}]})";

TEST(HexFloat, ReadsBackToTheSameBits) {
  const double numbers[] = {0.0, -0.0, 1, -1.5, 0.1, 1e300, 5e-324, 2.2250738585072014e-308, INFINITY, -INFINITY};
  for (const char* locale : {"C", "de_DE.UTF-8"}) {
    std::setlocale(LC_ALL, locale);  // may not exist
    const std::string text = hex_floats(numbers);
    double back[std::size(numbers)];
    ASSERT_TRUE(read_hex_floats(text, back)) << text;
    for (size_t k = 0; k < std::size(numbers); ++k) {
      EXPECT_EQ(std::signbit(back[k]), std::signbit(numbers[k]));
      EXPECT_EQ(back[k], numbers[k]);
    }
  }
  std::setlocale(LC_ALL, "C");
  double nan[1] = {0};
  const double given[] = {std::nan("")};
  ASSERT_TRUE(read_hex_floats(hex_floats(given), nan));
  EXPECT_TRUE(std::isnan(nan[0]));
  double two[2];
  for (const char* bad : {"", "1p+0", "1p+0 ", "1p+0  1p+0", "1p+0 1p+0 1p+0", "x 1p+0", "1p+0 1p+0 "})
    EXPECT_FALSE(read_hex_floats(bad, two)) << bad;
}

TEST(SelfTestText, FindsWhatDiffers) {
  Executor executor(1);
  for (const DType dtype : {DType::f32, DType::f64}) {
    ModelSpec spec = parse_spec(kSpec);
    spec.dtype = dtype;
    FlowModel model(system_allocator(), parse_spec(write_spec(spec)), 1);
    const std::string text = make_self_test(system_allocator(), executor, model, 4);
    EXPECT_EQ(self_test_rows(text), 4);
    verify_self_test(system_allocator(), executor, model, text);
    // A parameter changes by little, and then by more than the tolerance.
    const auto change = [&](double by) {
      FlowModel other(system_allocator(), parse_spec(write_spec(spec)), 1);
      const View v = other.params().view(other.params().slots().size() - 1);
      with_dtype(dtype, [&]<class T>() {
        for (int64_t k = 0; k < v.count(); ++k) v.as<T>()[k] += static_cast<T>(by);
      });
      verify_self_test(system_allocator(), executor, other, text);
    };
    const double tolerance = self_test_tolerance(dtype);
    change(tolerance / 100);
    try {
      change(tolerance * 100);
      ADD_FAILURE();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::checksum);
      EXPECT_GE(e.place().row, 0);
      EXPECT_NE(std::string(e.what()).find("self-test row " + std::to_string(e.place().row)), std::string::npos);
    }
  }
}

// A file with the self-test of other parameters, as a miscompiled kernel would see it, through the ABI.
TEST(SelfTestText, LoadsThatVerifyRefuseOtherNumbers) {
  Executor executor(1);
  FlowModel model(system_allocator(), parse_spec(kSpec), 1), other(system_allocator(), parse_spec(kSpec), 2);
  Extra extra;
  extra.metadata[kSelfTestKey] = make_self_test(system_allocator(), executor, other, 4);
  MemorySink file;
  write_model(file, model, {}, extra);
  nf_options* options = nullptr;
  ASSERT_EQ(nf_options_create(&options, nullptr), NF_OK);
  nf_model* loaded = nullptr;
  nf_error e = NF_ERROR_INIT;
  EXPECT_EQ(nf_model_load_memory(nullptr, file.bytes().data(), file.bytes().size(), options, &loaded, &e), NF_OK);
  nf_model_free(loaded);
  loaded = nullptr;
  ASSERT_EQ(nf_options_set(options, "load.verify", "true", nullptr), NF_OK);
  EXPECT_EQ(nf_model_load_memory(nullptr, file.bytes().data(), file.bytes().size(), options, &loaded, &e),
            NF_ERR_CHECKSUM);
  EXPECT_EQ(loaded, nullptr);
  EXPECT_GE(e.row, 0);
  EXPECT_NE(std::string(e.message).find("where it was saved"), std::string::npos) << e.message;
  nf_options_free(options);
}

TEST(SelfTestText, DamageIsRefused) {
  Executor executor(1);
  FlowModel model(system_allocator(), parse_spec(kSpec), 1);
  const std::string text = make_self_test(system_allocator(), executor, model, 3);
  for (const char* bad : {"", "{}", "[]", R"({"rows": 0})", R"({"rows": 1000000})", R"({"rows": 1000, "x": []})",
                          R"({"rows": 1, "x": ["1p+0 1p+0"], "log_prob": "1p+0"})",
                          R"({"rows": 1, "x": ["1p+0"], "context": ["0p+0"], "log_prob": "1p+0"})",
                          R"({"rows": 1, "x": ["1p+0 1p+0"], "context": ["0p+0"], "log_prob": "z"})"})
    EXPECT_ERROR(verify_self_test(system_allocator(), executor, model, bad), Code::format, "");
  Json j = parse_json(text, "text", Code::format, 1 << 20, 8);
  j["log_prob"] = "1p+0 1p+0 1p+0";
  EXPECT_ERROR(verify_self_test(system_allocator(), executor, model, j.dump()), Code::checksum, "self-test row 0");
}

}  // namespace
}  // namespace libnf::test
