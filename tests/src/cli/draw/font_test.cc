// Letters: each has its own shape, sizes scale, alignment and UTF-8 work.
#include "src/cli/draw/font.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "src/cli/draw/glyphs.h"

namespace cli {
namespace {
struct Ink {
  double amount = 0;
  int left = 1 << 20, right = -1, top = 1 << 20, bottom = -1;
};

Ink ink_of(const Canvas& c) {
  Ink ink;
  for (int y = 0; y < c.height(); ++y)
    for (int x = 0; x < c.width(); ++x) {
      const double dark = 1 - static_cast<double>(c.at(x, y).g);
      if (dark < 0.1) continue;
      ink.amount += dark;
      ink.left = std::min(ink.left, x), ink.right = std::max(ink.right, x);
      ink.top = std::min(ink.top, y), ink.bottom = std::max(ink.bottom, y);
    }
  return ink;
}

constexpr Style kStyle{20, {0, 0, 0}, false};

TEST(Font, EveryPrintableCharacterHasItsOwnShape) {
  std::map<std::string, std::string> shapes;
  for (char ch = '!'; ch <= '~'; ++ch) {
    const std::string word(1, ch);
    Canvas c(40, 40);
    draw_text(c, {10, 28}, word, kStyle);
    EXPECT_GT(ink_of(c).amount, 3) << word;
    const std::vector<uint8_t> pixels = c.image().rgb;
    const auto [other, fresh] = shapes.emplace(std::string(pixels.begin(), pixels.end()), word);
    EXPECT_TRUE(fresh) << word << " looks like " << other->second;
    EXPECT_NE(glyph_of(static_cast<char32_t>(ch)).code, 0u) << word;
  }
}

TEST(Font, CapitalsStandOnTheBaseline) {
  for (double size : {11.0, 13.0, 16.0, 24.0}) {
    Canvas c(60, 60);
    draw_text(c, {20, 40}, "H", {size, {0, 0, 0}, false});
    const Ink ink = ink_of(c);
    EXPECT_NEAR(ink.bottom, 40, 1) << size;
    EXPECT_NEAR(ink.bottom - ink.top, 0.7 * size + 0.1 * size, 2) << size;
  }
}

TEST(Font, StemsAreSharp) {  // one dark column, not two gray ones
  Canvas c(30, 30);
  draw_text(c, {10.4, 20.7}, "l", {13, {0, 0, 0}, false});
  EXPECT_LT(c.at(10, 15).g, 0.05);
  EXPECT_GT(c.at(9, 15).g, 0.8);
  EXPECT_GT(c.at(11, 15).g, 0.8);
}

TEST(Font, WidthIsThatOfTheInk) {
  for (const char* words : {"density", "0.15", "x"}) {
    Canvas c(200, 40);
    draw_text(c, {20, 28}, words, kStyle);
    const Ink ink = ink_of(c);
    EXPECT_NEAR(text_width(words, kStyle), ink.right - ink.left, 3) << words;
    EXPECT_NEAR(ink.left, 20, 1.5) << words;
  }
  EXPECT_EQ(text_width("", kStyle), 0);
}

TEST(Font, Alignment) {
  Canvas right(200, 40), center(200, 40);
  draw_text(right, {150, 28}, "number", kStyle, Align::right);
  draw_text(center, {100, 28}, "number", kStyle, Align::center);
  EXPECT_NEAR(ink_of(right).right, 150, 2);
  EXPECT_NEAR((ink_of(center).left + ink_of(center).right) / 2.0, 100, 2);
}

TEST(Font, Upwards) {
  Canvas c(40, 200);
  draw_text_upwards(c, {25, 100}, "number", kStyle);
  const Ink ink = ink_of(c);
  EXPECT_NEAR((ink.top + ink.bottom) / 2.0, 100, 3);
  EXPECT_NEAR(ink.bottom - ink.top, text_width("number", kStyle), 3);
  EXPECT_NEAR(ink.right, 25, 2);
}

TEST(Font, Utf8) {
  EXPECT_LT(text_width("\u2212", kStyle), 2 * text_width("-", kStyle));               // one sign, not three bytes
  EXPECT_EQ(text_width("\u4e2d\u6587", kStyle), text_width("\u00e9\u00e9", kStyle));  // boxes
  for (const char* broken : {"\xff", "\xe2\x82", "a\xc3"}) {
    Canvas c(60, 40);
    draw_text(c, {10, 28}, broken, kStyle);
    EXPECT_GT(ink_of(c).amount, 3);
  }
}
}  // namespace
}  // namespace cli
