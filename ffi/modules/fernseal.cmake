# Makes the CMake target `fernseal`: libfernseal.a for a microcontroller, and its header.
#   include(fernseal/ffi/modules/fernseal.cmake)
#   fernseal_library(thumbv7em-none-eabi)
#   target_link_libraries(firmware PRIVATE fernseal)
#
# FERNSEAL_LIBRARY   a libfernseal.a that was built before; without it, ffi/mcu.sh builds one, which needs Rust
# FERNSEAL_FEATURES  features of the library; ffi/Cargo.toml lists them
include_guard(GLOBAL)
include(ExternalProject)

set(FERNSEAL_LIBRARY "" CACHE FILEPATH "A libfernseal.a that was built before")
set(FERNSEAL_FEATURES "compact,seal,config" CACHE STRING "Features of libfernseal")
get_filename_component(_fernseal_root "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
set(FERNSEAL_ROOT "${_fernseal_root}" CACHE INTERNAL "The source of Fernseal")

function(fernseal_library rust_target)
  add_library(fernseal STATIC IMPORTED GLOBAL)
  set_target_properties(fernseal PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${FERNSEAL_ROOT}/include")
  if(FERNSEAL_LIBRARY)
    set_target_properties(fernseal PROPERTIES IMPORTED_LOCATION "${FERNSEAL_LIBRARY}")
    return()
  endif()

  set(out "${CMAKE_CURRENT_BINARY_DIR}/fernseal")
  set(products "${out}/cargo")
  if(DEFINED ENV{CARGO_TARGET_DIR})
    set(products "$ENV{CARGO_TARGET_DIR}")
  endif()
  ExternalProject_Add(fernseal_build
    PREFIX "${out}"
    SOURCE_DIR "${FERNSEAL_ROOT}"
    CONFIGURE_COMMAND ""
    BUILD_COMMAND "${CMAKE_COMMAND}" -E env "FEATURES=${FERNSEAL_FEATURES}" "CARGO_TARGET_DIR=${products}"
      "${FERNSEAL_ROOT}/ffi/mcu.sh" "${rust_target}" "${out}"
    BUILD_ALWAYS TRUE # cargo knows whether the source has changed
    BUILD_BYPRODUCTS "${out}/libfernseal.a"
    INSTALL_COMMAND "")
  set_target_properties(fernseal PROPERTIES IMPORTED_LOCATION "${out}/libfernseal.a")
  add_dependencies(fernseal fernseal_build)
endfunction()
