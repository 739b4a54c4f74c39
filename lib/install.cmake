# What `cmake --install` puts in place besides the command: headers, libraries, and what find_package() and
# pkg-config need to find them. All of it can be moved together.
include(CMakePackageConfigHelpers)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/perdure)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/perdure DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.hpp")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Two exports, so that find_package(perdure COMPONENTS pg) asks for no more than perdure::pg needs.
set_target_properties(perdure_pg PROPERTIES EXPORT_NAME pg)
install(TARGETS perdure_pg EXPORT perdure-pg)
install(TARGETS perdure EXPORT perdure)
foreach(export perdure-pg perdure)
  install(EXPORT ${export} FILE ${export}-targets.cmake NAMESPACE perdure:: DESTINATION ${package})
endforeach()

configure_package_config_file(perdure-config.cmake.in perdure-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(perdure-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/perdure-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/perdure-config-version.cmake DESTINATION ${package})

# An archive leaves its dependencies to the program; a shared library brings them.
set(private "")
if(BUILD_SHARED_LIBS)
  set(private .private)
endif()
set(requires${private} "libpq >= ${perdure_postgresql}, openssl")
set(libs${private} -lboost_json)
file(RELATIVE_PATH prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" prefix ${prefix})
foreach(file perdure-pg.pc perdure.pc)
  configure_file(${file}.in ${file} @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${file} DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
