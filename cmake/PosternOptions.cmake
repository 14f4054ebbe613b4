# SPDX-License-Identifier: MIT
# Compiler flags common to every preset. Presets choose sanitizers and optimisation; warnings are errors everywhere.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

option(POSTERN_BUILD_TESTS "build the test programs" ON)
option(POSTERN_TEST_ENGINE "build the fake engine, which misbehaves on command, into postern-scan" OFF)
option(POSTERN_SANDBOX_SWITCH "allow an environment variable to lift seccomp in scan workers (valgrind, gcov)" OFF)
option(POSTERN_VALGRIND "programs that valgrind can run: calls that it does not know are done by a helper" OFF)
option(POSTERN_HARDEN "hardening flags of a release" OFF)
set(POSTERN_SANITIZE "" CACHE STRING "value of -fsanitize=, empty for none")

add_compile_definitions(_GNU_SOURCE _FILE_OFFSET_BITS=64 POSTERN_VERSION="${PROJECT_VERSION}")
add_compile_options(
  -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings
  -Wcast-qual -Wvla -Wformat=2 -Wundef -Wswitch-enum -fno-common -fno-strict-overflow)
if(POSTERN_TEST_ENGINE)
  add_compile_definitions(POSTERN_TEST_ENGINE=1)
endif()
if(POSTERN_SANDBOX_SWITCH)
  add_compile_definitions(POSTERN_SANDBOX_SWITCH=1)
endif()
if(POSTERN_SANITIZE)
  add_compile_options(-fsanitize=${POSTERN_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${POSTERN_SANITIZE})
  if(POSTERN_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=all)
  endif()
  add_compile_definitions(POSTERN_SANITIZED=1)
endif()
if(POSTERN_VALGRIND) # memcheck, too, watches allocations, needs address space without limit, and has something to say on stderr
  add_compile_definitions(POSTERN_SANITIZED=1 POSTERN_VALGRIND=1)
endif()
if(POSTERN_HARDEN)
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection
                      -fcf-protection -fPIE)
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU") # clang 14 refuses the zero form
    add_compile_options(-ftrivial-auto-var-init=zero)
  endif()
  add_link_options(-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
