{{/* The settings of the service, as the variables that it reads. */}}

{{/* A number, given as number or as string (--set gives fractions as strings), in plain decimal: printing it
     would turn 1000000 into 1e+06. JSON keeps every digit, and needs an exponent only below 0.000001 and from 1e21. */}}
{{- define "openmed.number" -}}
{{- $digits := float64 . | toJson -}}
{{- if contains "e" $digits -}}
{{- $digits = regexReplaceAll "[.]?0*$" (float64 . | printf "%.20f") "" -}}
{{- end -}}
{{- $digits -}}
{{- end -}}

{{/* Hosts under which the service is addressed: by the probes, from inside the cluster, and those added. */}}
{{- define "openmed.trustedHosts" -}}
{{- $service := include "openmed.fullname" . -}}
{{- $namespaced := printf "%s.%s" $service .Release.Namespace -}}
{{- $hosts := list "localhost" "127.0.0.1" "[::1]" $service $namespaced -}}
{{- $hosts = append $hosts (printf "%s.svc" $namespaced) -}}
{{- $hosts = append $hosts (printf "%s.svc.cluster.local" $namespaced) -}}
{{- concat $hosts .Values.config.trustedHosts | uniq | join "," -}}
{{- end -}}

{{- define "openmed.environment" -}}
{{- $config := .Values.config -}}
{{- $throttle := $config.throttle -}}
OPENMED_PROFILE: {{ $config.profile | quote }}
OPENMED_CACHE_DIR: {{ $config.cacheDir | quote }}
OPENMED_SERVICE_PRELOAD_MODELS: {{ join "," $config.preloadModels | quote }}
OPENMED_SERVICE_MAX_RESIDENT_MODELS: {{ if ne (toString $config.maxResidentModels) "" }}
  {{- include "openmed.number" $config.maxResidentModels | quote }}
{{- else }}""
{{- end }}
OPENMED_SERVICE_KEEP_ALIVE: {{ if kindIs "string" $config.keepAlive }}
  {{- $config.keepAlive | quote }}
{{- else }}
  {{- include "openmed.number" $config.keepAlive | quote }}
{{- end }}
OPENMED_SERVICE_MAX_TEXT_LENGTH: {{ include "openmed.number" $config.maxTextLength | quote }}
OPENMED_SERVICE_CORS_ORIGINS: {{ join "," $config.corsOrigins | quote }}
OPENMED_SERVICE_TRUSTED_HOSTS: {{ include "openmed.trustedHosts" . | quote }}
OPENMED_SERVICE_BATCHING_ENABLED: {{ $config.batching.enabled | quote }}
OPENMED_SERVICE_BATCH_MAX_SIZE: {{ include "openmed.number" $config.batching.maxSize | quote }}
OPENMED_SERVICE_BATCH_MAX_WAIT_MS: {{ include "openmed.number" $config.batching.maxWaitMs | quote }}
OPENMED_SERVICE_COALESCING_ENABLED: {{ $config.coalescing.enabled | quote }}
OPENMED_SERVICE_SHUTDOWN_DRAIN_SECONDS: {{ include "openmed.number" $config.shutdownDrainSeconds | quote }}
OPENMED_SERVICE_METRICS_ENABLED: {{ $config.metrics.enabled | quote }}
OPENMED_SERVICE_RATE_LIMIT_RPS: {{ include "openmed.number" $throttle.rateLimitRps | quote }}
OPENMED_SERVICE_RATE_LIMIT_BURST: {{ include "openmed.number" $throttle.rateLimitBurst | quote }}
OPENMED_SERVICE_RATE_LIMIT_MAX_CONCURRENCY: {{ include "openmed.number" $throttle.maxConcurrency | quote }}
OPENMED_SERVICE_CONCURRENCY_WAIT_SECONDS: {{ include "openmed.number" $throttle.concurrencyWaitSeconds | quote }}
OPENMED_SERVICE_THROTTLE_KEY: {{ $throttle.keyBy | quote }}
{{- end -}}
