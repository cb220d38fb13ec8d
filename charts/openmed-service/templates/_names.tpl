{{/* Names and labels. Everything that other objects refer to by name is worked out here, once. */}}

{{- define "openmed.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* 63 characters: a Service name is a DNS label. */}}
{{- define "openmed.fullname" -}}
{{- $short := .Values.nameOverride | default .Chart.Name -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $short) (contains $short .Release.Name) -}}
{{- .Values.fullnameOverride | default $full | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "openmed.configmap" -}}
{{ include "openmed.fullname" . }}-config
{{- end -}}

{{- define "openmed.claim" -}}
{{- .Values.persistence.existingClaim | default (printf "%s-model-cache" (include "openmed.fullname" .)) -}}
{{- end -}}

{{/* A selector cannot be changed later, so it holds nothing that a value or a new version could change. */}}
{{- define "openmed.selector" -}}
app.kubernetes.io/name: {{ include "openmed.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "openmed.labels" -}}
{{ include "openmed.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{- end -}}
