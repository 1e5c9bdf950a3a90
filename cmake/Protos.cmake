# The contract: C++ from protos/, and descriptor sets with comments.
#
# Three roots beside our own, in this order: /usr/include (well-known types of
# the protobuf we link; npm's copies are newer than protoc 3.21 reads),
# google-proto-files from npm, and Debian's grpc-proto (health, reflection).

set(TRANSPARENCY_PROTO_DIR ${PROJECT_SOURCE_DIR}/protos)
set(google_proto_dir ${PROJECT_SOURCE_DIR}/node_modules/google-proto-files)
set(grpc_proto_dir /usr/share/grpc-proto)
set(proto_out_dir ${CMAKE_BINARY_DIR}/protos)

if(NOT EXISTS ${google_proto_dir}/package.json)
  message(STATUS "Installing the npm packages of package-lock.json")
  execute_process(COMMAND npm ci --no-fund --no-audit
                  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} COMMAND_ERROR_IS_FATAL ANY)
endif()

set(proto_path_flags -I${TRANSPARENCY_PROTO_DIR} -I/usr/include -I${google_proto_dir}
    -I${grpc_proto_dir})
find_program(PROTOC_PROGRAM protoc REQUIRED)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

# What we import of Google's protos, and what answers refer to.
set(google_protos
    google/api/annotations.proto
    google/api/client.proto
    google/api/field_behavior.proto
    google/api/field_info.proto
    google/api/http.proto
    google/api/httpbody.proto
    google/api/launch_stage.proto
    google/api/resource.proto
    google/rpc/code.proto
    google/rpc/error_details.proto
    google/rpc/status.proto
    google/type/calendar_period.proto
    google/type/date.proto
    google/type/datetime.proto
    google/type/dayofweek.proto
    google/type/decimal.proto
    google/type/interval.proto
    google/type/latlng.proto
    google/type/localized_text.proto
    google/type/money.proto
    google/type/month.proto
    google/type/postal_address.proto
    google/type/timeofday.proto)
# Served as typed services beside the generic one, hence with gRPC stubs.
# libgrpc++_reflection holds v1alpha a second time: never link it.
set(grpc_protos
    grpc/health/v1/health.proto
    grpc/reflection/v1/reflection.proto
    grpc/reflection/v1alpha/reflection.proto)

# Our protos of the packages transparency.<arg>.v1, relative to the root they
# are imported from.
function(transparency_package_protos out)
  set(files)
  foreach(package IN LISTS ARGN)
    file(GLOB found CONFIGURE_DEPENDS RELATIVE ${TRANSPARENCY_PROTO_DIR}
         ${TRANSPARENCY_PROTO_DIR}/transparency/${package}/v1/*.proto)
    list(APPEND files ${found})
  endforeach()
  set(${out} ${files} PARENT_SCOPE)
endfunction()

# proto_library(<name> PROTOS <import path>... [GRPC <import path>...] [LIBS <target>...])
# GRPC are compiled with typed service stubs too.
function(proto_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "PROTOS;GRPC;LIBS")
  file(MAKE_DIRECTORY ${proto_out_dir})
  set(sources)
  foreach(proto IN LISTS arg_PROTOS arg_GRPC)
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    foreach(root IN ITEMS ${TRANSPARENCY_PROTO_DIR} ${google_proto_dir} ${grpc_proto_dir})
      if(EXISTS ${root}/${proto})
        set(proto_file ${root}/${proto})
        break()
      endif()
    endforeach()
    set(outputs ${proto_out_dir}/${stem}.pb.cc ${proto_out_dir}/${stem}.pb.h)
    set(flags --cpp_out=${proto_out_dir})
    if(proto IN_LIST arg_GRPC)
      # First, as in protoc's dependency file: else ninja takes that for another's.
      list(PREPEND outputs ${proto_out_dir}/${stem}.grpc.pb.cc ${proto_out_dir}/${stem}.grpc.pb.h)
      list(APPEND flags --grpc_out=${proto_out_dir} --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN})
    endif()
    string(MAKE_C_IDENTIFIER ${stem} id)
    add_custom_command(
        OUTPUT ${outputs}
        COMMAND ${PROTOC_PROGRAM} ${proto_path_flags} ${flags}
                --dependency_out=${proto_out_dir}/${id}.d ${proto}
        DEPENDS ${proto_file} ${PROTOC_PROGRAM}
        DEPFILE ${proto_out_dir}/${id}.d
        COMMENT "protoc ${proto}" VERBATIM)
    list(APPEND sources ${outputs})
  endforeach()
  if(sources)
    # Linked whole: files that no code names, such as those of services, are
    # found by their descriptors.
    add_library(${name}_files STATIC ${sources})
    target_include_directories(${name}_files SYSTEM PUBLIC ${proto_out_dir})
    target_compile_options(${name}_files PRIVATE -w -g0)
    target_link_libraries(${name}_files PUBLIC ${arg_LIBS} protobuf::libprotobuf)
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE $<LINK_LIBRARY:WHOLE_ARCHIVE,${name}_files>)
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${arg_LIBS} protobuf::libprotobuf)
  endif()
endfunction()

transparency_package_protos(shared_protos type journal)
proto_library(proto_shared PROTOS ${google_protos} ${shared_protos} GRPC ${grpc_protos}
              LIBS gRPC::grpc++)
foreach(package IN ITEMS certification standards centre)
  transparency_package_protos(package_protos ${package})
  proto_library(proto_${package} PROTOS ${package_protos} LIBS proto_shared)
endforeach()
transparency_package_protos(package_protos gateway)
proto_library(proto_gateway PROTOS ${package_protos}
              LIBS proto_certification proto_standards proto_centre proto_shared)

# transparency_embed_descriptors(<name> PROTOS <import path or package folder>...)
# Makes <name>, an object library that defines transparency::EmbeddedDescriptorSet()
# (common/rpc/server/embedded_descriptors.h): the serialized FileDescriptorSet of PROTOS
# and all they import, with comments, and of health, reflection and
# google.rpc's details. A folder such as transparency/certification/v1 stands for
# its *.proto. Each executable links exactly one such target, directly.
function(transparency_embed_descriptors name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "PROTOS")
  set(protos google/rpc/error_details.proto google/rpc/status.proto ${grpc_protos})
  foreach(entry IN LISTS arg_PROTOS)
    if(entry MATCHES "\\.proto$")
      list(APPEND protos ${entry})
    else()
      file(GLOB found CONFIGURE_DEPENDS RELATIVE ${TRANSPARENCY_PROTO_DIR}
           ${TRANSPARENCY_PROTO_DIR}/${entry}/*.proto)
      list(APPEND protos ${found})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES protos)
  # Which of our files a set imports is protoc's knowledge: any change makes it anew.
  file(GLOB_RECURSE all_protos CONFIGURE_DEPENDS ${TRANSPARENCY_PROTO_DIR}/*.proto)
  set(image ${CMAKE_CURRENT_BINARY_DIR}/${name}.binpb)
  add_custom_command(
      OUTPUT ${image}
      COMMAND ${PROTOC_PROGRAM} ${proto_path_flags} --include_imports --include_source_info
              --descriptor_set_out=${image} ${protos}
      DEPENDS ${all_protos} ${PROTOC_PROGRAM}
      COMMENT "protoc ${name}" VERBATIM)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}.cc)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/embedded_descriptors.cc.in ${source} @ONLY)
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${image})
  add_library(${name} OBJECT ${source})
  target_link_libraries(${name} PUBLIC absl::strings)
endfunction()
