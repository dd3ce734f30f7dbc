// Options: unknown keys, wrong types and values out of bounds. The test is driven by nf_options_describe, so new keys
// are covered. Each refusal is NF_ERR_SPEC, names the key, and leaves the options unchanged.
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

using Json = nlohmann::json;

Json described() {
  const char* text = nf_options_describe();
  EXPECT_NE(text, nullptr);
  EXPECT_EQ(text, nf_options_describe()) << "static";
  return Json::parse(text ? text : "[]");
}

class OptionKeys : public testing::Test {
 protected:
  nf_status i64(const std::string& key, int64_t v) { return nf_options_set_i64(o.get(), key.c_str(), v, &e); }
  nf_status f64(const std::string& key, double v) { return nf_options_set_f64(o.get(), key.c_str(), v, &e); }
  nf_status str(const std::string& key, const std::string& v) {
    return nf_options_set_str(o.get(), key.c_str(), v.c_str(), &e);
  }
  nf_status parse(const std::string& key, const std::string& v) {
    return nf_options_set(o.get(), key.c_str(), v.c_str(), &e);
  }
  Options o = options();
  Err e;
};

TEST_F(OptionKeys, AreDescribed) {
  const Json all = described();
  ASSERT_TRUE(all.is_array());
  EXPECT_GE(all.size(), 10u);
  for (const Json& k : all) {
    for (const char* field : {"name", "type", "doc"}) {
      ASSERT_TRUE(k.contains(field) && k[field].is_string() && !k[field].get<std::string>().empty())
          << field << " of " << k;
    }
    EXPECT_TRUE(k.contains("default")) << k;
  }
}

TEST_F(OptionKeys, UnknownOnesSuggestTheNearest) {
  const struct {
    const char *wrong, *right;
  } cases[] = {
      {"leraning_rate", ""}, {"optimzer", "optimizer"}, {"clipnorm", "clip_norm"}, {"treads", "threads"}, {"Lr", "lr"}};
  for (const auto& c : cases) {
    EXPECT_TRUE(failed(NF_ERR_SPEC, f64(c.wrong, 1), e, c.wrong));
    EXPECT_TRUE(failed(NF_ERR_SPEC, i64(c.wrong, 1), e, c.right));
    EXPECT_TRUE(failed(NF_ERR_SPEC, str(c.wrong, "x"), e, c.right));
    EXPECT_TRUE(failed(NF_ERR_SPEC, parse(c.wrong, "1"), e, c.right));
  }
  EXPECT_TRUE(failed(NF_ERR_SPEC, i64("", 1), e));
  EXPECT_TRUE(failed(NF_ERR_SPEC, i64(std::string(100000, 'k'), 1), e));
  EXPECT_TRUE(failed(NF_ERR_SPEC, i64("\xff\xfe", 1), e));
}

// For every key, the default is accepted; values of another type or out of bounds are refused.
TEST_F(OptionKeys, TypesAndBounds) {
  int numbers = 0, choices = 0;
  for (const Json& k : described()) {
    SCOPED_TRACE(k.dump());
    const std::string key = k["name"], type = k["type"];
    const bool integer = type == "integer" || type == "int" || type == "i64",
               real = type == "number" || type == "real" || type == "f64";
    if (integer || real) {
      ++numbers;
      EXPECT_TRUE(failed(NF_ERR_SPEC, str(key, "1"), e, key));
      for (const char* text :
           {"", "x", "1x", " 1", "1 ", "0x10", "--1", "1e999", "nan", "inf", "-inf", "99999999999999999999"})
        EXPECT_TRUE(failed(NF_ERR_SPEC, parse(key, text), e, key)) << "'" << text << "'";
      if (k.contains("min") && k["min"].is_number()) {
        const double low = k["min"];
        if (integer && low > -9e18) {
          EXPECT_TRUE(failed(NF_ERR_SPEC, i64(key, static_cast<int64_t>(low) - 1), e, key));
        }
        if (real) {
          EXPECT_TRUE(failed(NF_ERR_SPEC, f64(key, std::nextafter(low, -INFINITY)), e, key));
        }
        EXPECT_TRUE(ok(integer ? i64(key, static_cast<int64_t>(low)) : f64(key, low), e));
      }
      if (k.contains("max") && k["max"].is_number()) {
        const double high = k["max"];
        if (integer && high < 9e18) {
          EXPECT_TRUE(failed(NF_ERR_SPEC, i64(key, static_cast<int64_t>(high) + 1), e, key));
        }
        if (real) {
          EXPECT_TRUE(failed(NF_ERR_SPEC, f64(key, std::nextafter(high, INFINITY)), e, key));
        }
      }
    }
    if (integer) {
      EXPECT_TRUE(failed(NF_ERR_SPEC, f64(key, 1.5), e, key));
      EXPECT_TRUE(failed(NF_ERR_SPEC, parse(key, "1.5"), e, key));
    }
    if (real) {
      for (double bad : {static_cast<double>(NAN), static_cast<double>(INFINITY), -static_cast<double>(INFINITY)})
        EXPECT_TRUE(failed(NF_ERR_SPEC, f64(key, bad), e, key)) << bad;
    }
    if (k.contains("choices")) {
      ++choices;
      std::string first = k["choices"][0];
      for (const Json& c : k["choices"]) {
        EXPECT_TRUE(ok(str(key, c), e));
        EXPECT_TRUE(ok(parse(key, c), e));
      }
      EXPECT_TRUE(failed(NF_ERR_SPEC, str(key, first + "x"), e, key));
      EXPECT_TRUE(failed(NF_ERR_SPEC, str(key, first + "x"), e, first)) << "says what would be right";
      EXPECT_TRUE(failed(NF_ERR_SPEC, str(key, ""), e, key));
      EXPECT_TRUE(failed(NF_ERR_SPEC, i64(key, 0), e, key));
      EXPECT_TRUE(failed(NF_ERR_SPEC, f64(key, 0), e, key));
    }
    if (k["default"].is_string()) {
      EXPECT_TRUE(ok(str(key, k["default"]), e));
    } else if (k["default"].is_number_integer() && integer) {
      EXPECT_TRUE(ok(i64(key, k["default"]), e));
      EXPECT_TRUE(ok(parse(key, k["default"].dump()), e));
    } else if (k["default"].is_number() && real) {
      EXPECT_TRUE(ok(f64(key, k["default"]), e));
      EXPECT_TRUE(ok(parse(key, k["default"].dump()), e));
    }
  }
  EXPECT_GE(numbers, 5);
  EXPECT_GE(choices, 2);
}

TEST_F(OptionKeys, NamesOfOtherLibrariesAreUnderstood) {
  const struct {
    const char *given, *meant;
  } cases[] = {{"learning_rate", "\"trainer.lr\""},
               {"trainer.learning_rate", "\"trainer.lr\""},
               {"learning_rat", "\"trainer.lr\""},
               {"lr", "\"trainer.lr\""},
               {"wd", "\"trainer.weight_decay\""},
               {"batch_size", "\"batches.batch\""},
               {"n_jobs", "\"runtime.threads\" or \"session.threads\""},
               {"grad_clip", "\"trainer.clip_norm\""},
               {"weight_decya", "\"trainer.weight_decay\""}};
  for (const auto& c : cases) {
    const std::string says = std::string("unknown option \"") + c.given + "\"; did you mean " + c.meant + "?";
    EXPECT_TRUE(failed(NF_ERR_SPEC, i64(c.given, 1), e, says));
  }
  EXPECT_TRUE(failed(NF_ERR_SPEC, i64("qqqqqqqq", 1), e, "(nf_options_describe lists all)"));
  // Every synonym leads to its key, and none is a key itself.
  int synonyms = 0;
  std::set<std::string> words;
  for (const Json& k : described()) {
    const std::string name = k["name"];
    words.insert(name.substr(name.find('.') + 1));
  }
  for (const Json& k : described())
    for (const std::string& s : k.value("synonyms", std::vector<std::string>())) {
      ++synonyms;
      EXPECT_FALSE(words.count(s)) << s << " is a key";
      EXPECT_TRUE(failed(NF_ERR_SPEC, i64(s, 1), e, "\"" + k["name"].get<std::string>() + "\"")) << s;
    }
  EXPECT_GT(synonyms, 40);
}

TEST_F(OptionKeys, WholeNumbersArePrintedAsSuch) {
  EXPECT_TRUE(
      failed(NF_ERR_SPEC, f64("batches.batch", 2e9), e, "\"batches.batch\" = 2000000000 is outside [1, 1073741824]"));
  EXPECT_TRUE(
      failed(NF_ERR_SPEC, f64("batches.batch", 1e300), e, "\"batches.batch\" = 1e+300 is outside [1, 1073741824]"));
  EXPECT_TRUE(failed(NF_ERR_SPEC, f64("batches.batch", 2.5), e, "\"batches.batch\" = 2.5 is not a whole number"));
  EXPECT_TRUE(failed(NF_ERR_SPEC, f64("metropolis.step_size", 2e9), e,
                     "\"metropolis.step_size\" = 2000000000 is outside [1e-09, 1000000000]"));
}

// A refused value does not replace the previous one.
TEST_F(OptionKeys, ARefusalLeavesTheBagAlone) {
  const TempDir dir;
  const Runtime rt = runtime();
  Tensor x = banana(10);
  ASSERT_TRUE(ok(parse("batches.batch", "3"), e));
  EXPECT_TRUE(failed(NF_ERR_SPEC, i64("batches.batch", -5), e, "batch"));
  nf_batches* b = nullptr;
  ASSERT_TRUE(ok(nf_batches_create(rt.get(), Batch(x.view()), o.get(), &b, &e), e));
  const Batches owner(b);
  nf_batch batch = NF_BATCH_INIT;
  ASSERT_TRUE(ok(nf_batches_get(b, 0, &batch, &e), e));
  EXPECT_EQ(batch.x->shape[0], 3);
}

// Integers are exact in 64 bits: adjacent values above 2^53 are different seeds.
TEST_F(OptionKeys, IntegersAreExact) {
  const Runtime rt = runtime();
  Tensor x = banana(100);
  std::vector<std::vector<float>> firsts;
  for (const int64_t seed : {int64_t{1} << 53, (int64_t{1} << 53) + 1, (int64_t{1} << 53) + 1}) {
    ASSERT_TRUE(firsts.size() == 2 ? ok(parse("batches.seed", std::to_string(seed)), e)
                                   : ok(i64("batches.seed", seed), e));
    nf_batches* b = nullptr;
    ASSERT_TRUE(ok(nf_batches_create(rt.get(), Batch(x.view()), o.get(), &b, &e), e));
    const Batches owner(b);
    nf_batch batch = NF_BATCH_INIT;
    ASSERT_TRUE(ok(nf_batches_get(b, 0, &batch, &e), e));
    const auto* data = static_cast<const float*>(batch.x->data);
    firsts.emplace_back(data, data + batch.x->shape[0] * batch.x->shape[1]);
  }
  EXPECT_NE(firsts[0], firsts[1]);
  EXPECT_EQ(firsts[1], firsts[2]);
  EXPECT_TRUE(ok(i64("trainer.seed", std::numeric_limits<int64_t>::max()), e));
  EXPECT_TRUE(ok(parse("trainer.max_steps", "1e6"), e));
}

// Settings that other choices make irrelevant are refused when the trainer is created, and the message names the
// choice.
TEST_F(OptionKeys, SettingsWithoutEffectAreRefused) {
  const Runtime rt = runtime();
  const Model m = model(rt.get());
  const struct {
    const char *key, *value, *says;
  } cases[] = {{"trainer.momentum", "0.9", "momentum: 0.9 has no effect with \"optimizer\": \"adam\""},
               {"trainer.decay", "0.1", "decay: 0.1 has no effect with \"schedule\": \"constant\""},
               {"trainer.samples", "7", "samples: 7 has no effect with \"objective\": \"nll\""},
               {"trainer.path_gradient", "true", "path_gradient: true has no effect with \"objective\": \"nll\""},
               {"trainer.groups", "[{\"match\": \"nothing\"}]", "groups[0].match"},
               {"trainer.groups", "[{\"lr\": 1}]", "groups[0].match is missing"},
               {"trainer.groups", "not JSON", "groups"}};
  for (const auto& c : cases) {
    const Options bag = options({{c.key, c.value}});
    nf_trainer* t = nullptr;
    EXPECT_TRUE(failed(NF_ERR_SPEC, nf_trainer_create(m.get(), bag.get(), nullptr, &t, &e), e, c.says)) << c.key;
    EXPECT_EQ(t, nullptr);
  }
  // The default is always welcome.
  const Options defaults = options({{"trainer.momentum", "0"}, {"trainer.samples", "256"}});
  const Trainer t = trainer(m.get(), defaults.get());
}

TEST_F(OptionKeys, GroupsFreezeByName) {
  const Runtime rt = runtime();
  const Model m = model(rt.get());
  const Trainer t = trainer(m.get(), options({{"trainer.groups", "[{\"match\": \"*\", \"lr\": 0.01}]"}}).get());
  Tensor x = banana(50);
  const uint64_t before = nf_model_hash(m.get());
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
  EXPECT_NE(nf_model_hash(m.get()), before);
  const Model still = model(rt.get());
  nf_trainer* none = nullptr;
  EXPECT_TRUE(failed(
      NF_ERR_SPEC,
      nf_trainer_create(still.get(), options({{"trainer.groups", "[{\"match\": \"*\", \"freeze\": true}]"}}).get(),
                        nullptr, &none, &e),
      e, "freeze every parameter"));
}

}  // namespace
}  // namespace abi_test
