// W2 written by hand in CUDA, all eight states integrated: nvcc -O3 -arch=sm_90 neutropenia.cu (see kernel.cuh).
#include "kernel.cuh"

struct Neutropenia {
  static constexpr int STATES = 8, PARAMETERS = 7, OUTPUTS = 1;
  Real elimination, to_micromolar, baseline, rate, gamma, largest, half;

  ANYWHERE explicit Neutropenia(const Real* p)
      : elimination(p[0] / p[1]),
        to_micromolar(Real(1000 / 807.88) / p[1]),
        baseline(p[2]),
        rate(Real(4) / p[3]),
        gamma(p[4]),
        largest(p[5]),
        half(p[6]) {}

  ANYWHERE void start(Real* y) const {
    y[0] = y[1] = y[2] = 0;
    y[3] = y[4] = y[5] = y[6] = y[7] = baseline;
  }

  ANYWHERE void rates(const Real* y, Real infusion, Real* dy) const {
    const Real k12 = Real(1.07), k21 = Real(1.74), k13 = Real(1.28), k31 = Real(0.0787);
    Real c = y[0] * to_micromolar;
    Real effect = largest * c / (half + c);
    Real feedback = exp(gamma * log(baseline / y[7]));  // quicker than pow
    dy[0] = infusion - (elimination + k12 + k13) * y[0] + k21 * y[1] + k31 * y[2];
    dy[1] = k12 * y[0] - k21 * y[1];
    dy[2] = k13 * y[0] - k31 * y[2];
    dy[3] = rate * y[3] * ((1 - effect) * feedback - 1);
    dy[4] = rate * (y[3] - y[4]);
    dy[5] = rate * (y[4] - y[5]);
    dy[6] = rate * (y[5] - y[6]);
    dy[7] = rate * (y[6] - y[7]);
  }

  ANYWHERE void outputs(const Real* y, Real* seen) const { seen[0] = y[7]; }
};

int main(int count, char** words) { return program<Neutropenia>(count, words); }
