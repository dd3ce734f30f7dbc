// Polynomial coefficients and split constants of the kernels' own math, lowest power first.
// Derived by runtime/kernel/coefficients.py (near-minimax, 60-digit arithmetic); do not edit by hand.
// Relative errors are those of the approximated function in exact arithmetic, with rounded coefficients.
#pragma once

namespace libnf::kernel {

template <class T>
struct Coefficients;

template <>
struct Coefficients<float> {
  // e^r = 1 + r + r^2 P(r), |r| <= ln(2)/2
  // relative error 8.1e-10
  static constexpr float kExp[] = {0.5f, 0.166666672f, 0.0416664556f, 0.00833331048f, 0.00139345415f, 0.000198919806f};
  // log((1+s)/(1-s)) = 2s + s^3 P(s^2), |s| <= 0.1716
  // relative error 2.9e-10
  static constexpr float kLog[] = {0.666666687f, 0.400001228f, 0.285505861f, 0.233368114f};
  // sin r = r + r^3 P(r^2), cos r = 1 - r^2/2 + r^4 P(r^2), |r| <= pi/4
  // relative error 3.4e-9
  static constexpr float kSin[] = {-0.166666672f, 0.00833333191f, -0.000198400623f, 2.72468606e-06f};
  // relative error 9.2e-10
  static constexpr float kCos[] = {0.0416666642f, -0.00138882909f, 2.45454121e-05f};
  // erf x = x + x P(x^2), |x| <= 0.7
  // relative error 1.8e-9
  static constexpr float kErf[] = {0.128379166f,   -0.376126289f,  0.112835504f,
                                   -0.0268450174f, 0.00513942121f, -0.000695944065f};
  // (1 + 2x) e^(x^2) erfc x = P((x - k)/(x + k)), x >= 0, k = kErfcCenter
  static constexpr float kErfcCenter = 3;
  // relative error 5.3e-8
  static constexpr float kErfc[] = {1.25300801f,    -0.135621101f,    -0.0475621559f,  0.129644722f,
                                    -0.119275279f,  0.0683131963f,    -0.0237635598f,  0.00250677858f,
                                    0.00187506026f, -0.000734082074f, -9.2537688e-05f, 8.00745474e-05f};
  // atan x = x + x^3 P(x^2), |x| <= tan(pi/8)
  // relative error 3.1e-9
  static constexpr float kAtan[] = {-0.333333313f, 0.199995399f, -0.142639115f, 0.107432634f, -0.064503774f};
  // cbrt m, m in [0.707, 1.415]: a first guess
  // relative error 0.0001
  static constexpr float kCbrt[] = {0.49515906f, 0.731773674f, -0.282678634f, 0.0558016934f};
  // ln 2 and pi/2 as sums of short numbers: products with small integers are exact
  static constexpr float kLn2[] = {0.693145752f, 1.42860677e-06f};
  static constexpr float kHalfPi[] = {1.5703125f, 0.000483751297f, 7.54953362e-08f, 2.56334407e-12f};
};

template <>
struct Coefficients<double> {
  // e^r = 1 + r + r^2 P(r), |r| <= ln(2)/2
  // relative error 5.8e-19
  static constexpr double kExp[] = {0.5,
                                    0.16666666666666666,
                                    0.04166666666666668,
                                    0.008333333333333333,
                                    0.0013888888888878269,
                                    0.00019841269841262761,
                                    2.4801587338565345e-05,
                                    2.7557319248633827e-06,
                                    2.755726102934377e-07,
                                    2.5052069594795685e-08,
                                    2.0918961837795778e-09,
                                    1.6087177234380782e-10};
  // log((1+s)/(1-s)) = 2s + s^3 P(s^2), |s| <= 0.1716
  // relative error 5.4e-19
  static constexpr double kLog[] = {0.6666666666666666,  0.4000000000000091,  0.2857142857078221, 0.22222222396552982,
                                    0.18181795124476754, 0.15386267672882226, 0.1326802614042874, 0.13094416666525344};
  // sin r = r + r^3 P(r^2), cos r = 1 - r^2/2 + r^4 P(r^2), |r| <= pi/4
  // relative error 6.4e-18
  static constexpr double kSin[] = {-0.16666666666666666,   0.008333333333333331,    -0.00019841269841264821,
                                    2.7557319219150304e-06, -2.5052106167171305e-08, 1.605852132415535e-10,
                                    -7.586093283910409e-13};
  // relative error 1.3e-18
  static constexpr double kCos[] = {0.041666666666666664,   -0.0013888888888888887, 2.480158730158451e-05,
                                    -2.755731922129782e-07, 2.0876755754788195e-09, -1.1470455163872726e-11,
                                    4.745536180136405e-14};
  // erf x = x + x P(x^2), |x| <= 0.7
  // relative error 1.4e-17
  static constexpr double kErf[] = {0.1283791670955126,      -0.3761263890318374,     0.11283791670954359,
                                    -0.026866170644887326,   0.005223977621458574,    -0.0008548326643537041,
                                    0.00012055310360716752,  -1.4924783340348721e-05, 1.6440680703667857e-06,
                                    -1.6034171068526763e-07, 1.1848550615591332e-08};
  // (1 + 2x) e^(x^2) erfc x = P((x - k)/(x + k)), x >= 0, k = kErfcCenter
  static constexpr double kErfcCenter = 3;
  // relative error 5.4e-17
  static constexpr double kErfc[] = {
      1.2530080582697296,    -0.1356211061245812,     -0.04756229435345109,    0.1296451587027627,
      -0.11927366341528031,  0.06830802734391855,     -0.023770514919504816,   0.0025293918168181233,
      0.001888690371667297,  -0.0007798322768798117,  -0.00010515990092647466, 0.00012509936726341788,
      4.949987955732799e-06, -2.010057701262032e-05,  -7.33141182334831e-07,   3.4723149569310428e-06,
      3.60386916290929e-07,  -6.162482113105505e-07,  -1.4682599660972323e-07, 1.0109068164486426e-07,
      4.694559096292753e-08, -1.2426530712797833e-08, -1.1731252949858499e-08, 3.6009354863232597e-10,
      2.061511692209589e-09, 2.460274448010755e-10,   -1.8802074955522467e-10, -4.1550433828338884e-11};
  // atan x = x + x^3 P(x^2), |x| <= tan(pi/8)
  // relative error 3.7e-18
  static constexpr double kAtan[] = {-0.3333333333333333,  0.19999999999999804,  -0.14285714285659457,
                                     0.11111111105119366,  -0.09090908751706075, 0.07692296323157785,
                                     -0.06666423954373413, 0.058789182929757273, -0.05230375457576669,
                                     0.04551233844829568,  -0.03456132296826231, 0.01627552168389342};
  // cbrt m, m in [0.707, 1.415]: a first guess
  // relative error 0.0001
  static constexpr double kCbrt[] = {0.49515906594984516, 0.731773658450043, -0.2826786215010439, 0.05580169193626078};
  // ln 2 and pi/2 as sums of short numbers: products with small integers are exact
  static constexpr double kLn2[] = {0.6931471805592082, 7.371002565167799e-13};
  static constexpr double kHalfPi[] = {1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21,
                                       8.4784276603689e-32};
};

}  // namespace libnf::kernel
