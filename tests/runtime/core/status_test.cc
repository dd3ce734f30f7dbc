// Errors: formatted, bounded messages that end on a whole UTF-8 character, and the text of errno.
#include "runtime/core/status.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "tests/support/expect_error.h"

namespace libnf {
namespace {

constexpr size_t kRoom = Error::kMessageBytes - 1;

std::string message_of(const std::string& text) { return Error(Code::spec, text.c_str()).what(); }

TEST(Error, CarriesCodeAndFormattedMessage) {
  try {
    fail(Code::shape, "x has %d columns, \"%s\" wants %zu", 3, "event", size_t{4});
    FAIL() << "fail() returned";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::shape);
    EXPECT_STREQ(e.what(), "x has 3 columns, \"event\" wants 4");
    EXPECT_EQ(e.os_errno(), 0);
  }
}

TEST(Error, IsAStdException) {
  EXPECT_THROW(fail(Code::state, "x"), std::exception);
  EXPECT_TRUE(std::is_nothrow_copy_constructible_v<Error>);
}

TEST(Error, LongMessagesAreCut) {
  EXPECT_EQ(message_of(""), "");
  EXPECT_EQ(message_of(std::string(kRoom, 'a')), std::string(kRoom, 'a'));
  EXPECT_EQ(message_of(std::string(kRoom + 1, 'a')), std::string(kRoom, 'a'));
  EXPECT_ERROR(fail(Code::io, "%s", std::string(5000, 'b').c_str()), Code::io, std::string(kRoom, 'b').c_str());
}

// For every character length and cut position, only whole characters remain, and as many as fit.
TEST(Error, CutsBetweenCharacters) {
  for (const std::string& letter :
       {std::string("\xC3\xA9"), std::string("\xE2\x82\xAC"), std::string("\xF0\x9F\x98\x80")}) {
    for (size_t offset = 0; offset < 8; ++offset) {
      std::string text(offset, 'a');
      while (text.size() <= kRoom + 8) text += letter;
      const size_t whole = (kRoom - offset) / letter.size();
      EXPECT_EQ(message_of(text), text.substr(0, offset + whole * letter.size())) << letter << " after " << offset;
    }
  }
}

TEST(Error, AWholeCharacterAtTheEndStays) {
  const std::string text = std::string(kRoom - 3, 'a') + "\xE2\x82\xAC";
  EXPECT_EQ(message_of(text), text);
  EXPECT_EQ(message_of(text + "bcd"), text);
}

TEST(Error, SurvivesBrokenUtf8) {
  EXPECT_EQ(message_of("\x80\x80"), "\x80\x80");
  EXPECT_LE(message_of(std::string(1000, '\x80')).size(), kRoom);
  EXPECT_LE(message_of(std::string(1000, '\xF0')).size(), kRoom);
}

TEST(Error, NamesTheOsError) {
  try {
    fail_os(Code::io, ENOENT, "cannot open \"%s\"", "a.npy");
    FAIL() << "fail_os() returned";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::io);
    EXPECT_EQ(e.os_errno(), ENOENT);
    EXPECT_STREQ(e.what(), "cannot open \"a.npy\": No such file or directory");
  }
  EXPECT_ERROR(fail_os(Code::io, 99999, "x"), Code::io, "x: Unknown error 99999");
  EXPECT_ERROR(fail_os(Code::io, EIO, "%s", std::string(3000, 'c').c_str()), Code::io, "ccc");
}

TEST(Code, NumbersArePinned) {
  const std::pair<Code, int> pinned[] = {
      {Code::ok, 0},         {Code::argument, 1},  {Code::state, 2},        {Code::shape, 3},
      {Code::spec, 4},       {Code::nomem, 10},    {Code::io, 20},          {Code::format, 21},
      {Code::checksum, 22},  {Code::version, 23},  {Code::numeric, 30},     {Code::not_inverted, 31},
      {Code::cancelled, 40}, {Code::callback, 41}, {Code::unsupported, 50}, {Code::internal, 60}};
  for (const auto& [code, number] : pinned) EXPECT_EQ(static_cast<int>(code), number);
}

}  // namespace
}  // namespace libnf
