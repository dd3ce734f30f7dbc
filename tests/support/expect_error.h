// EXPECT_ERROR(statement, code, text) expects the statement to throw libnf::Error with this code and a message containing
// text.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "runtime/core/status.h"

namespace libnf {

template <class F>
testing::AssertionResult throws_error(F&& statement, Code code, const char* text) {
  try {
    statement();
  } catch (const Error& e) {
    if (e.code() != code)
      return testing::AssertionFailure() << "code " << static_cast<int>(e.code()) << " (" << e.what() << "), not "
                                         << static_cast<int>(code);
    if (std::string(e.what()).find(text) == std::string::npos)
      return testing::AssertionFailure() << "message \"" << e.what() << "\" does not contain \"" << text << '"';
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "nothing was thrown";
}

}  // namespace libnf

#define EXPECT_ERROR(statement, code, text) \
  EXPECT_TRUE(::libnf::throws_error([&] { statement; }, code, text)) << #statement
