{{- define "iit.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What a workload selects its pods by. Flagger renames the value of app for its primary, and leaves the rest. */}}
{{- define "iit.selector" -}}
app: {{ include "iit.fullname" .root }}-{{ .component }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{/* What policies, budgets and monitors select pods by: the same for every version and controller. */}}
{{- define "iit.component" -}}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/part-of: iit
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "iit.labels" -}}
app.kubernetes.io/name: iit
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{ include "iit.component" . }}
{{- end -}}

{{- define "iit.podLabels" -}}
app: {{ include "iit.fullname" .root }}-{{ .component }}
{{ include "iit.component" . }}
{{- if has .component (list "api" "worker") }}
iit/metrics: "true"
{{- end }}
{{- end -}}

{{- define "iit.serviceAccount" -}}
{{ include "iit.fullname" .root }}-{{ .component }}
{{- end -}}

{{- define "iit.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}:{{ $tag }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ $tag }}
{{- end -}}
{{- end -}}

{{- define "iit.filesClaim" -}}
{{- default (printf "%s-files" (include "iit.fullname" .)) .Values.files.claim.existing -}}
{{- end -}}

{{- define "iit.backupsClaim" -}}
{{- default (printf "%s-backups" (include "iit.fullname" .)) .Values.backups.claim.existing -}}
{{- end -}}

{{- define "iit.hasFilesClaim" -}}
{{- if or .Values.files.claim.existing .Values.files.claim.size }}true{{ end -}}
{{- end -}}

{{/* True where Argo Rollouts owns the API's pods, and where Flagger does. */}}
{{- define "iit.argo" -}}{{- if hasPrefix "argo-" .Values.delivery.mode }}true{{ end -}}{{- end -}}
{{- define "iit.flagger" -}}{{- if hasPrefix "flagger-" .Values.delivery.mode }}true{{ end -}}{{- end -}}
