// The Lorenz workload written by hand in CUDA: nvcc -O3 -arch=sm_90 lorenz.cu (see kernel.cuh).
#include "kernel.cuh"

struct Lorenz {
  static constexpr int STATES = 3, PARAMETERS = 1, OUTPUTS = 3;
  Real rho;

  ANYWHERE explicit Lorenz(const Real* p) : rho(p[0]) {}

  ANYWHERE void start(Real* y) const { y[0] = 1, y[1] = 0, y[2] = 0; }

  ANYWHERE void rates(const Real* y, Real, Real* dy) const {
    dy[0] = Real(10) * (y[1] - y[0]);
    dy[1] = rho * y[0] - y[1] - y[0] * y[2];
    dy[2] = y[0] * y[1] - Real(8.0 / 3) * y[2];
  }

  ANYWHERE void outputs(const Real* y, Real* seen) const { seen[0] = y[0], seen[1] = y[1], seen[2] = y[2]; }
};

int main(int count, char** words) { return program<Lorenz>(count, words); }
