// Letters: each has its own shape, sizes scale, alignment and UTF-8 work.
#include "src/cli/draw/font.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

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
  }
}

TEST(Font, CapitalsStandOnTheBaseline) {
  for (double size : {11.0, 13.0, 16.0, 24.0}) {
    Canvas c(60, 60);
    draw_text(c, {20, 40}, "H", {size, {0, 0, 0}, false});
    const Ink ink = ink_of(c);
    EXPECT_EQ(ink.bottom, 39) << size;  // the last row above the baseline
    EXPECT_NEAR(ink.bottom + 1 - ink.top, capital({size, {0, 0, 0}, false}), 1) << size;
  }
}

TEST(Font, LettersStartAtWholePixels) {
  Canvas exact(60, 30), near(60, 30);
  draw_text(exact, {10, 20}, "letters", {13, {0, 0, 0}, false});
  draw_text(near, {10.4, 19.7}, "letters", {13, {0, 0, 0}, false});
  EXPECT_EQ(exact.image().rgb, near.image().rgb);
}

TEST(Font, WidthIsThatOfTheInk) {
  for (const char* words : {"density", "0.15", "x"}) {
    Canvas c(200, 40);
    draw_text(c, {20, 28}, words, kStyle);
    const Ink ink = ink_of(c);
    const double around =
        text_width(words, kStyle) - (ink.right + 1 - ink.left);  // space before and behind the letters
    EXPECT_GE(around, -1) << words;
    EXPECT_LE(around, 0.2 * kStyle.size) << words;
    EXPECT_NEAR(ink.left, 20, 2) << words;
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
  EXPECT_LT(text_width("\u2212", kStyle), 3 * text_width("-", kStyle));  // one sign, not three bytes
  for (const char* word : {"\xff", "\xe2\x82", "a\xc3", "\u4e2d", "\x01y"}) {
    Canvas c(60, 40);
    draw_text(c, {10, 28}, word, kStyle);
    EXPECT_GT(ink_of(c).amount, 3);
    draw_text(c, {10, 28}, "after", kStyle);  // cairo draws nothing more after an error
    EXPECT_GT(ink_of(c).amount, 30);
  }
}

TEST(Font, ShortenedTextFits) {
  const std::string all = "a long na\u00efve name of a column";
  const double width = text_width(all, kStyle);
  EXPECT_EQ(shortened(all, kStyle, width), all);
  for (double room = 25; room < width; room += 7) {
    const std::string cut = shortened(all, kStyle, room);
    EXPECT_LE(text_width(cut, kStyle), room);
    EXPECT_NE(cut, all);
    EXPECT_EQ(all.compare(0, cut.size() - 3, cut, 0, cut.size() - 3), 0) << cut;  // but for the ellipsis
  }
  EXPECT_FALSE(shortened(all, kStyle, 0).empty());  // the ellipsis alone
}
}  // namespace
}  // namespace cli
